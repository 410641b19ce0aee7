//! AdamW (Loshchilov and Hutter 2019), with moments that can be saved.

use tch::{Kind, Tensor, no_grad};

use crate::net::Network;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The optimiser of a network's trainable variables.
pub struct AdamW {
    variables: Vec<Variable>,
    weight_decay: f64,
    /// Steps done.
    pub steps: u64,
}

struct Variable {
    name: String,
    tensor: Tensor,
    is_backbone: bool,
    /// Means of the gradient and of its square.
    moments: [Tensor; 2],
}

/// The learning rates of a step.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    pub head: f64,
    pub backbone: f64,
}

impl AdamW {
    pub fn new(network: &Network, weight_decay: f64) -> Self {
        let groups = network.groups();
        let variables = network.vs.variables();
        let named = |names: Vec<String>, is_backbone: bool| {
            let tensors = names.into_iter().filter_map(|name| {
                let tensor = variables.get(&name)?.shallow_clone();
                let moments = [tensor.zeros_like(), tensor.zeros_like()].map(|t| t.detach());
                Some(Variable {
                    name,
                    tensor,
                    is_backbone,
                    moments,
                })
            });
            tensors.collect::<Vec<_>>()
        };
        let mut all = named(groups.backbone, true);
        all.extend(named(groups.head, false));
        Self {
            variables: all,
            weight_decay,
            steps: 0,
        }
    }

    pub fn zero_gradients(&mut self) {
        for variable in &mut self.variables {
            variable.tensor.zero_grad();
        }
    }

    /// Scales the gradients down to a norm of `most` and makes a step. Returns the norm before.
    pub fn step(&mut self, rates: Rates, most: f64) -> f64 {
        no_grad(|| {
            let gradients: Vec<Tensor> = self.variables.iter().map(|v| v.tensor.grad()).collect();
            let squares = gradients.iter().filter(|gradient| gradient.defined());
            let squares: Vec<Tensor> = squares
                .map(|gradient| gradient.square().sum(Kind::Float))
                .collect();
            let norm = match squares.is_empty() {
                true => 0.0,
                false => Tensor::stack(&squares, 0)
                    .sum(Kind::Float)
                    .double_value(&[])
                    .sqrt(),
            };
            if !norm.is_finite() {
                return norm;
            }
            let scale = (most / (norm + 1e-6)).min(1.0);
            self.steps += 1;
            let steps = self.steps as f64;
            let (first, second) = (1.0 - BETA1.powf(steps), 1.0 - BETA2.powf(steps));
            for (variable, gradient) in self.variables.iter_mut().zip(gradients) {
                if !gradient.defined() {
                    continue;
                }
                let gradient = gradient * scale;
                let rate = if variable.is_backbone {
                    rates.backbone
                } else {
                    rates.head
                };
                let [mean, square] = &mut variable.moments;
                let _ = mean.lerp_(&gradient, 1.0 - BETA1);
                let _ = square.lerp_(&gradient.square(), 1.0 - BETA2);
                // norms and biases do not decay
                if variable.tensor.dim() > 1 {
                    let _ = variable
                        .tensor
                        .g_mul_scalar_(1.0 - rate * self.weight_decay);
                }
                let update = &*mean * (rate / first) / ((&*square / second).sqrt() + EPSILON);
                let _ = variable.tensor.g_sub_(&update);
            }
            norm
        })
    }

    /// Returns the moments by name, for a checkpoint.
    pub fn moments(&self) -> Vec<(String, Tensor)> {
        let named = self.variables.iter().flat_map(|variable| {
            let [mean, square] = &variable.moments;
            [
                (format!("mean/{}", variable.name), mean.shallow_clone()),
                (format!("square/{}", variable.name), square.shallow_clone()),
            ]
        });
        named.collect()
    }

    /// Takes the moments of a checkpoint, which `of` returns by name.
    ///
    /// # Errors
    /// The name of a moment that is missing or has another shape.
    pub fn set_moments(&mut self, of: impl Fn(&str) -> Option<Tensor>) -> Result<(), String> {
        for variable in &mut self.variables {
            for (kind, moment) in ["mean", "square"].into_iter().zip(&mut variable.moments) {
                let name = format!("{kind}/{}", variable.name);
                match of(&name) {
                    Some(found) if found.size() == moment.size() => moment.copy_(&found),
                    _ => return Err(name),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Description, Head, Width};
    use shuffledet_core::Resolution;
    use tch::Device;
    use tch::nn::OptimizerConfig;

    fn network() -> Network {
        let classes = vec!["a".to_owned(), "b".to_owned()];
        let side = Resolution {
            width: 32,
            height: 32,
        };
        tch::manual_seed(5);
        let description = Description::new(Head::Classifier, Width::X0_5, classes, side);
        Network::new(&description, Device::Cpu).unwrap()
    }

    fn loss(network: &Network) -> Tensor {
        let image = Tensor::arange(3 * 32 * 32, (Kind::Float, Device::Cpu)).view([1, 3, 32, 32]);
        let output = network.forward_with_fixed_norms(&(image / 3072.0)).main;
        output
            .log_softmax(-1, Kind::Float)
            .narrow(1, 0, 1)
            .sum(Kind::Float)
            * -1.0
    }

    #[test]
    fn steps_are_those_of_libtorch() {
        let (ours, theirs) = (network(), network());
        let mut adamw = AdamW::new(&ours, 0.0);
        let config = tch::nn::AdamW {
            wd: 0.0,
            ..Default::default()
        };
        let mut reference = config.build(&theirs.vs, 1e-3).unwrap();
        let rates = Rates {
            head: 1e-3,
            backbone: 1e-3,
        };
        for _ in 0..3 {
            adamw.zero_gradients();
            loss(&ours).backward();
            adamw.step(rates, f64::INFINITY);
            reference.backward_step(&loss(&theirs));
        }
        let theirs = theirs.vs.variables();
        for (name, ours) in ours.vs.variables() {
            let difference = (ours - &theirs[&name]).abs().max().double_value(&[]);
            assert!(difference < 1e-5, "{name} {difference}");
        }
    }

    #[test]
    fn gradients_are_limited_and_moments_are_kept() {
        let network = network();
        let mut adamw = AdamW::new(&network, 0.05);
        loss(&network).backward();
        let rates = Rates {
            head: 1e-3,
            backbone: 0.0,
        };
        let norm = adamw.step(rates, 1e-3);
        assert!(norm > 1e-3);
        let moments: std::collections::HashMap<String, Tensor> =
            adamw.moments().into_iter().collect();
        let total = moments.iter().filter(|(name, _)| name.starts_with("mean/"));
        let total: f64 = total
            .map(|(_, mean)| mean.square().sum(Kind::Double).double_value(&[]))
            .sum();
        // a tenth of a gradient of that norm
        assert!((total.sqrt() - 1e-4).abs() < 1e-6, "{total}");
        let mut other = AdamW::new(&network, 0.05);
        let of = |name: &str| moments.get(name).map(Tensor::shallow_clone);
        other.set_moments(of).unwrap();
        for (name, moment) in other.moments() {
            assert_eq!(moment, moments[&name]);
        }
        assert!(
            other
                .set_moments(|_| None)
                .unwrap_err()
                .starts_with("mean/")
        );
    }
}
