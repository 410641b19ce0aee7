use super::Status;
#[derive(Debug, clap::Subcommand)]
pub enum ModelsCommand { List }
pub fn run(_: &ModelsCommand) -> anyhow::Result<Status> { Ok(Status::Success) }
