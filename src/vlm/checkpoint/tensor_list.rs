//! What a model expects of its checkpoint.

/// Names and shapes of tensors, as they are collected.
#[derive(Default)]
pub struct TensorList(pub Vec<(String, Vec<usize>)>);

impl TensorList {
    pub fn add(&mut self, name: impl Into<String>, shape: &[usize]) {
        self.0.push((name.into(), shape.to_vec()));
    }

    /// A matrix of `(rows, columns)`.
    pub fn linear(&mut self, name: &str, (rows, columns): (usize, usize), bias: bool) {
        self.add(format!("{name}.weight"), &[rows, columns]);
        if bias {
            self.add(format!("{name}.bias"), &[rows]);
        }
    }

    pub fn norm(&mut self, name: &str, width: usize, bias: bool) {
        self.add(format!("{name}.weight"), &[width]);
        if bias {
            self.add(format!("{name}.bias"), &[width]);
        }
    }
}
