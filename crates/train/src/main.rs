fn main() {
    let t = tch::Tensor::arange(6, (tch::Kind::Float, tch::Device::Cpu));
    println!("{}", t.sum(tch::Kind::Float).double_value(&[]));
}
