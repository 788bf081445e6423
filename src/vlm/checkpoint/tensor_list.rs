//! The tensors that a model expects in its checkpoint.

/// The role of a tensor in a model, which decides how it is stored in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The matrix of a linear layer, quantized as the user asks.
    Layer,
    /// An embedding or output head, quantized to no fewer than eight bits.
    Vocabulary,
    /// A matrix that is never quantized.
    Exact,
    /// A norm, bias or the like, stored in the activation type.
    Plain,
    /// A lookup table, stored in f32 in main memory on every device.
    Table,
}

/// A tensor that a model reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub role: Role,
    /// The checkpoint may lack it.
    pub optional: bool,
}

/// Collects the expected tensors of a model.
#[derive(Default)]
pub struct TensorList(pub Vec<ExpectedTensor>);

impl TensorList {
    pub fn add(&mut self, role: Role, name: impl Into<String>, shape: &[usize]) {
        self.0.push(ExpectedTensor {
            name: name.into(),
            shape: shape.to_vec(),
            role,
            optional: false,
        });
    }

    pub fn add_optional(&mut self, role: Role, name: impl Into<String>, shape: &[usize]) {
        self.0.push(ExpectedTensor {
            name: name.into(),
            shape: shape.to_vec(),
            role,
            optional: true,
        });
    }

    /// Adds a linear layer, `(rows, columns)`.
    pub fn linear(&mut self, name: &str, (rows, columns): (usize, usize), bias: bool) {
        self.add(Role::Layer, format!("{name}.weight"), &[rows, columns]);
        self.bias(name, rows, bias);
    }

    /// Adds a patch convolution; the kernel's first dimension is its output width. It sees the raw
    /// pixels and is a small part of a tower, so it is never quantized.
    pub fn patches(&mut self, name: &str, kernel: &[usize], bias: bool) {
        self.add(Role::Exact, format!("{name}.weight"), kernel);
        self.bias(name, kernel[0], bias);
    }

    pub fn norm(&mut self, name: &str, width: usize, bias: bool) {
        self.add(Role::Plain, format!("{name}.weight"), &[width]);
        self.bias(name, width, bias);
    }

    fn bias(&mut self, name: &str, width: usize, bias: bool) {
        if bias {
            self.add(Role::Plain, format!("{name}.bias"), &[width]);
        }
    }
}
