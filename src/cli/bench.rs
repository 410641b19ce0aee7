use super::Status;
#[derive(Debug, clap::Args)]
pub struct BenchArgs {}
pub fn run(_: &BenchArgs) -> anyhow::Result<Status> { Ok(Status::Success) }
