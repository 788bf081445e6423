//! LoRA adapters in PEFT's format, merged into the weights of a retriever: `W += scale * B A`.

use crate::error::{Context, Error, ErrorKind, Result};
use crate::vlm::checkpoint::files::{CheckpointFile, FileData};
use crate::vlm::checkpoint::weights::Weights;
use candle_core::{DType, Tensor};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// PEFT's prefix for the names of the base model.
const PREFIX: &str = "base_model.model.";

/// An adapter folder, as written by `save_pretrained`.
pub struct Adapter {
    pub config: CheckpointFile,
    pub weights: CheckpointFile,
    scaling: Scaling,
}

/// The scale of each pair of matrices.
struct Scaling {
    alpha: f64,
    /// Alphas of modules whose names end like this; the first that matches counts.
    alphas: Vec<(String, f64)>,
    /// Divide by the root of the rank instead of the rank (rsLoRA).
    by_root: bool,
}

/// Names and shapes of the `lora_A` and `lora_B` matrices of one module.
type Pair<'a> = [Option<(&'a str, &'a [usize])>; 2];

impl Adapter {
    /// Finds the files and reads the configuration.
    ///
    /// # Errors
    /// If files are missing or the adapter uses an unsupported feature.
    pub fn open(folder: &Path) -> Result<Self> {
        let file = |name: &str| {
            let path = folder.join(name);
            match path.is_file() {
                true => Ok(CheckpointFile {
                    name: name.to_owned(),
                    data: FileData::Disk(path),
                }),
                false => Err(Error::new(
                    ErrorKind::Usage,
                    format!(
                        "{} is not a LoRA adapter: it has no {name}",
                        folder.display()
                    ),
                )
                .with_hint("give a folder written by PEFT's save_pretrained, with safetensors")),
            }
        };
        let config = file(CONFIG)?;
        let weights = file(WEIGHTS)?;
        let fields: Map<String, Value> = config.json()?;
        let scaling = Scaling::read(&fields).map_err(|cause| {
            Error::new(ErrorKind::Model, format!("{}: {cause}", config.shown())).with_hint(
                "merge the adapter in Python (merge_and_unload and save_pretrained of PEFT) and \
                 give the merged folder with --retriever",
            )
        })?;
        Ok(Self {
            config,
            weights,
            scaling,
        })
    }

    /// Adds the adapter to the weights of `base`. `linear` lists names and shapes of the matrices
    /// that can be adapted.
    ///
    /// # Errors
    /// If the adapter contains tensors for any other matrix.
    pub fn merge(
        &self,
        base: &mut Weights,
        linear: &BTreeMap<String, (usize, usize)>,
    ) -> Result<()> {
        let shown = self.weights.shown();
        let tensors = Weights::open(std::slice::from_ref(&self.weights), None, str::to_owned)?;
        let mut pairs: BTreeMap<&str, Pair> = BTreeMap::new();
        let mut unknown = Vec::new();
        for (name, shape) in tensors.shapes() {
            let module = name.strip_prefix(PREFIX);
            let part = |end: &str| module.and_then(|module| module.strip_suffix(end));
            match (part(".lora_A.weight"), part(".lora_B.weight")) {
                (Some(module), _) => pairs.entry(module).or_default()[0] = Some((name, shape)),
                (_, Some(module)) => pairs.entry(module).or_default()[1] = Some((name, shape)),
                _ => unknown.push(name),
            }
        }
        let refused = |cause: String| Error::new(ErrorKind::Model, format!("{shown}: {cause}"));
        if let Some(first) = unknown.first() {
            let more = unknown.len() - 1;
            return Err(refused(format!(
                "{first} (and {more} more) is not a lora_A or lora_B matrix"
            )));
        }
        if pairs.is_empty() {
            return Err(refused("it contains no tensors".to_owned()));
        }
        for (module, pair) in pairs {
            let name = format!("{module}.weight");
            let Some(&(rows, columns)) = linear.get(&name) else {
                return Err(refused(format!("the retriever has no matrix {module}"))
                    .with_hint("the adapter was made for another retriever"));
            };
            let [Some((name_a, a)), Some((name_b, b))] = pair else {
                return Err(refused(format!("{module} lacks one of lora_A and lora_B")));
            };
            let rank = a.first().copied().unwrap_or_default();
            if rank == 0 || a != [rank, columns] || b != [rows, rank] {
                return Err(refused(format!(
                    "{module}: matrices of {a:?} and {b:?} do not match one of [{rows}, {columns}]"
                ))
                .with_hint("the adapter was made for another retriever"));
            }
            let scale = self.scaling.of(module, rank);
            let merged = (|| -> candle_core::Result<Tensor> {
                let a = tensors.stored(name_a, a)?.to_dtype(DType::F32)?;
                let b = tensors.stored(name_b, b)?.to_dtype(DType::F32)?;
                let weight = base.stored(&name, &[rows, columns])?.to_dtype(DType::F32)?;
                weight + (b.matmul(&a)? * scale)?
            })();
            let merged = merged.context(ErrorKind::Model, format!("{shown}: merging {module}"))?;
            base.replace(name, merged);
        }
        Ok(())
    }
}

impl Scaling {
    /// Reads `adapter_config.json`; an error names the unsupported feature.
    fn read(fields: &Map<String, Value>) -> std::result::Result<Self, String> {
        let get = |key: &str| fields.get(key).unwrap_or(&Value::Null);
        match get("peft_type").as_str() {
            Some("LORA") => {}
            other => return Err(format!("its peft_type is {other:?}, not LORA")),
        }
        // Features that change the meaning of the matrices. Null, false or empty means unused.
        const UNSUPPORTED: [&str; 11] = [
            "use_dora",
            "use_qalora",
            "use_bdlora",
            "lora_bias",
            "fan_in_fan_out",
            "modules_to_save",
            "layer_replication",
            "target_parameters",
            "trainable_token_indices",
            "alora_invocation_tokens",
            "arrow_config",
        ];
        let is_used = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
            _ => true,
        };
        if let Some(key) = UNSUPPORTED.iter().find(|key| is_used(get(key))) {
            return Err(format!("it sets {key}, which is not supported"));
        }
        if !matches!(get("bias").as_str(), None | Some("none")) {
            return Err(format!(
                "its bias is {}, which is not supported",
                get("bias")
            ));
        }
        // Other ways of initializing change the weights that the adapter is added to.
        const KEEP_BASE: [&str; 3] = ["gaussian", "eva", "orthogonal"];
        match get("init_lora_weights") {
            Value::Null | Value::Bool(_) => {}
            Value::String(way) if KEEP_BASE.contains(&way.as_str()) => {}
            way => {
                return Err(format!(
                    "its init_lora_weights is {way}, which is not supported"
                ));
            }
        }
        let alpha = get("lora_alpha").as_f64().filter(|alpha| alpha.is_finite());
        let alpha = alpha.ok_or("it has no lora_alpha")?;
        let mut alphas = Vec::new();
        for (key, value) in get("alpha_pattern").as_object().into_iter().flatten() {
            let is_name = key.chars().all(|c| c.is_alphanumeric() || "._".contains(c));
            match value.as_f64() {
                Some(alpha) if is_name => alphas.push((key.clone(), alpha)),
                _ => return Err(format!("its alpha_pattern {key} is not a plain name")),
            };
        }
        Ok(Self {
            alpha,
            alphas,
            by_root: get("use_rslora") == &Value::Bool(true),
        })
    }

    fn of(&self, module: &str, rank: usize) -> f64 {
        let is_end = |end: &str| {
            let before = module.strip_suffix(end);
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        let own = self.alphas.iter().find(|(end, _)| is_end(end));
        let alpha = own.map_or(self.alpha, |(_, alpha)| *alpha);
        match self.by_root {
            true => alpha / (rank as f64).sqrt(),
            false => alpha / rank as f64,
        }
    }
}
