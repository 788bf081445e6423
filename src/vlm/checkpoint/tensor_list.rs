//! What a model expects of its checkpoint.

/// What a tensor is to a model, which decides the form that it is held in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The matrix of a linear layer, quantized as the user says.
    Layer,
    /// An embedding or a head: quantized too, but never to fewer than eight bits.
    Vocabulary,
    /// A matrix that is never quantized.
    Exact,
    /// Held in the type of activations: norms, biases and the like.
    Plain,
    /// Held in f32 in main memory, whatever the device.
    Table,
}

/// A tensor that a model reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub role: Role,
    /// Done without where the checkpoint has none.
    pub optional: bool,
}

/// The tensors of a model, as they are collected.
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

    /// A tensor that is read where the checkpoint has it.
    pub fn add_optional(&mut self, role: Role, name: impl Into<String>, shape: &[usize]) {
        self.0.push(ExpectedTensor {
            name: name.into(),
            shape: shape.to_vec(),
            role,
            optional: true,
        });
    }

    /// A layer of `(rows, columns)`.
    pub fn linear(&mut self, name: &str, (rows, columns): (usize, usize), bias: bool) {
        self.add(Role::Layer, format!("{name}.weight"), &[rows, columns]);
        self.bias(name, rows, bias);
    }

    /// The kernel of a convolution over patches, whose first number is the width of its outputs. It
    /// sees the pixels themselves and is a small part of a tower: kept exact.
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
