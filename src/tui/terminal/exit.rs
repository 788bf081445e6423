//! How the workstation was left.

/// How the workstation was left; decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    ByOperator,
    /// A signal arrived, or the terminal was gone.
    Interrupted,
}

impl Exit {
    pub fn exit_status(self) -> u8 {
        match self {
            Self::ByOperator => 0,
            Self::Interrupted => 130,
        }
    }
}
