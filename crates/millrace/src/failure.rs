use std::process::ExitCode;

/// Why a command did not do what was asked; the variant is its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Exit code 1: what was asked for is right, and could not be done.
    #[error("{0}")]
    Failed(String),
    /// Exit code 2: the question or a file is wrong, and asking again changes nothing.
    #[error("{0}")]
    WrongInput(String),
}

impl Failure {
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Failed(_) => ExitCode::from(1),
            Failure::WrongInput(_) => ExitCode::from(2),
        }
    }

    /// For `map_err` on file operations: `Failure::io("read", &path)`.
    pub fn io(action: &str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Failure {
        move |cause| Failure::Failed(format!("{action} {}: {cause}", path.display()))
    }
}

impl From<servers::Error> for Failure {
    fn from(error: servers::Error) -> Failure {
        Failure::Failed(error.to_string())
    }
}

impl From<postgres::PostgresError> for Failure {
    fn from(error: postgres::PostgresError) -> Failure {
        Failure::Failed(error.to_string())
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Failure {
        Failure::Failed(format!("PostgreSQL did not do it: {error}"))
    }
}

impl From<registry::RegistryError> for Failure {
    fn from(error: registry::RegistryError) -> Failure {
        Failure::Failed(error.to_string())
    }
}

impl From<kafka::KafkaError> for Failure {
    fn from(error: kafka::KafkaError) -> Failure {
        match &error {
            kafka::KafkaError::NoTopic { .. } => {
                Failure::WrongInput(format!("{error}; `millrace topic list` shows which there are"))
            }
            _ => Failure::Failed(error.to_string()),
        }
    }
}
