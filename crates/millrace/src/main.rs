fn main() -> std::process::ExitCode {
    millrace::main()
}
