use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // The first HTTP client would panic without it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match millrace::run(millrace::Cli::from_command_line()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("millrace: {failure}");
            failure.exit_code()
        }
    }
}
