//! A Cassandra that is warm.

/// Loads whose speeds differ by less than this are those of a warm server.
const ALIKE: f64 = 0.1;
const ROUNDS_MAX: usize = 6;

/// Repeats a load, which answers its rows per second, until it gains no more. A server that has just started compiles what it runs
/// meanwhile, and takes half as many rows.
pub async fn warm(mut load: impl AsyncFnMut() -> anyhow::Result<f64>) -> anyhow::Result<()> {
    let mut last = 0.0;
    for _ in 0..ROUNDS_MAX {
        let now = load().await?;
        if (now - last) / now < ALIKE {
            break;
        }
        last = now;
    }
    Ok(())
}
