use super::Status;
#[derive(Debug, clap::Args)]
pub struct DetectArgs {}
pub fn run(_: &DetectArgs) -> anyhow::Result<Status> { Ok(Status::Success) }
