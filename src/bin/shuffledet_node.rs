//! The ROS 2 node.

fn main() -> Result<(), r2r::Error> {
    let context = r2r::Context::create()?;
    let node = r2r::Node::create(context, "shuffledet", "")?;
    println!("{}", node.fully_qualified_name()?);
    Ok(())
}
