//! Operators whose output's dimensions follow from their inputs' alone.

use crate::input_size::dim::{self, Dim};
use crate::input_size::follow::Known;
use crate::input_size::not_resized::Obstacle;
use crate::input_size::regroup::regroup;
use crate::proto::NodeProto;
use crate::shapes::axis_within;

/// Longer constants are no list of sides.
const MAX_SIDE_CONSTANTS: usize = 16;

/// A node, with what is known before it.
pub(super) struct Rule<'k, 'a> {
    pub known: &'k Known<'a>,
    pub node: &'a NodeProto,
}

impl<'k> Rule<'k, '_> {
    pub fn dims(&self, input: usize) -> Result<&'k [Dim], Obstacle> {
        let name = self.node.input_name(input);
        let dims = name.and_then(|name| self.known.dims.get(name));
        dims.map(Vec::as_slice).ok_or(Obstacle::UnknownShape)
    }

    /// Returns the dimensions of all inputs that are not left out.
    fn all_dims(&self) -> Result<Vec<(&str, &'k [Dim])>, Obstacle> {
        let given = (0..self.node.input.len()).filter_map(|i| Some((i, self.node.input_name(i)?)));
        given
            .map(|(input, name)| Ok((name, self.dims(input)?)))
            .collect()
    }

    /// Returns the shape of the first output at the native size.
    pub fn native_output(&self) -> Result<Vec<u64>, Obstacle> {
        let output = self.node.output.first().ok_or(Obstacle::UnknownShape)?;
        let shape = self.known.native.full_shape(output);
        shape.ok_or(Obstacle::UnknownShape)
    }

    /// Returns an axis of the first input.
    fn axis(&self, default: i64) -> Result<usize, Obstacle> {
        let rank = self.dims(0)?.len();
        axis_within(self.node.int("axis", default), rank).ok_or(Obstacle::UnknownShape)
    }

    pub fn misfit(&self) -> Obstacle {
        let shapes = self.all_dims().unwrap_or_default();
        Obstacle::Misfit {
            inputs: (shapes.into_iter())
                .map(|(_, dims)| dim::resized(dims))
                .collect(),
        }
    }

    /// Returns outputs with the axes of the first input, in sizes that the shape inference gives.
    pub fn along_axes(&self) -> Result<Vec<Vec<Dim>>, Obstacle> {
        let input = self.dims(0)?;
        let mut outputs = Vec::new();
        for (index, output) in self.node.output.iter().enumerate() {
            let Some(native) = self.known.native.full_shape(output) else {
                // a second output that hardly any network uses
                if index > 0 {
                    break;
                }
                return Err(Obstacle::UnknownShape);
            };
            let resized = self.known.resized.full_shape(output);
            let resized = resized.ok_or_else(|| self.misfit())?;
            if [native.len(), resized.len()] != [input.len(); 2] {
                return Err(Obstacle::UnknownShape);
            }
            let sizes = native.into_iter().zip(resized);
            let dim = |(dim, (native, resized)): (&Dim, _)| {
                if (dim.native(), dim.resized()) == (native, resized) {
                    dim.clone()
                } else if dim.is_spatial() || native != resized {
                    Dim::spatial(native, resized)
                } else {
                    Dim::fixed(native)
                }
            };
            outputs.push(input.iter().zip(sizes).map(dim).collect());
        }
        Ok(outputs)
    }

    /// Returns the dimensions of the first input in the groups that the output's native shape gives.
    pub fn regrouped(&self) -> Result<Vec<Dim>, Obstacle> {
        let (input, output) = (self.dims(0)?, self.native_output()?);
        regroup(input, &output)
            .map_err(|reason| Obstacle::ungrouped(reason, dim::native(input), output))
    }

    pub fn transpose(&self) -> Result<Vec<Dim>, Obstacle> {
        let input = self.dims(0)?;
        let Some(perm) = self.node.ints("perm") else {
            return Ok(input.iter().rev().cloned().collect());
        };
        let dims: Option<Vec<Dim>> = perm
            .iter()
            .map(|&axis| input.get(usize::try_from(axis).ok()?).cloned())
            .collect();
        dims.ok_or(Obstacle::UnknownShape)
    }

    pub fn squeeze(&self) -> Result<Vec<Dim>, Obstacle> {
        let input = self.dims(0)?;
        let axes = self.known.native.setting(self.node, "axes", 1);
        let removed = |axis: usize| match &axes {
            Some(axes) => (axes.iter()).any(|&a| axis_within(a, input.len()) == Some(axis)),
            None => input[axis].native() == 1,
        };
        if (0..input.len()).any(|axis| removed(axis) && input[axis].is_spatial()) {
            return Err(Obstacle::UnitSide {
                from: dim::native(input),
                to: self.native_output()?,
            });
        }
        let kept = (0..input.len()).filter(|&axis| !removed(axis));
        Ok(kept.map(|axis| input[axis].clone()).collect())
    }

    pub fn unsqueeze(&self) -> Result<Vec<Dim>, Obstacle> {
        let mut rest = self.dims(0)?.iter().cloned();
        let axes = self.known.native.setting(self.node, "axes", 1);
        let axes = axes.ok_or(Obstacle::UnknownShape)?;
        let rank = rest.len() + axes.len();
        let added = |axis: usize| axes.iter().any(|&a| axis_within(a, rank) == Some(axis));
        let dims: Option<Vec<Dim>> = (0..rank)
            .map(|axis| {
                if added(axis) {
                    Some(Dim::fixed(1))
                } else {
                    rest.next()
                }
            })
            .collect();
        dims.ok_or(Obstacle::UnknownShape)
    }

    pub fn gather(&self) -> Result<Vec<Dim>, Obstacle> {
        let (data, indices, axis) = (self.dims(0)?, self.dims(1)?, self.axis(0)?);
        if data[axis].is_spatial() {
            return Err(Obstacle::Picks);
        }
        Ok([&data[..axis], indices, &data[axis + 1..]].concat())
    }

    pub fn reduce(&self) -> Result<Vec<Dim>, Obstacle> {
        let input = self.dims(0)?;
        let axes = if self.node.op_type.starts_with("Arg") {
            vec![self.node.int("axis", 0)]
        } else {
            let axes = self.known.native.setting(self.node, "axes", 1);
            axes.unwrap_or_else(|| (0..input.len() as i64).collect())
        };
        let reduced = |axis: usize| {
            axes.iter()
                .any(|&a| axis_within(a, input.len()) == Some(axis))
        };
        if (0..input.len()).any(|axis| reduced(axis) && input[axis].is_spatial()) {
            return Err(Obstacle::WholeMap);
        }
        let keep = self.node.int("keepdims", 1) != 0;
        Ok((0..input.len())
            .filter(|&axis| keep || !reduced(axis))
            .map(|axis| {
                if reduced(axis) {
                    Dim::fixed(1)
                } else {
                    input[axis].clone()
                }
            })
            .collect())
    }

    pub fn matmul(&self) -> Result<Vec<Dim>, Obstacle> {
        let (a, b) = (self.dims(0)?, self.dims(1)?);
        let ([a_batch @ .., rows, a_inner], [b_batch @ .., b_inner, columns]) = (a, b) else {
            return Err(Obstacle::UnknownShape);
        };
        self.check_inner(a_inner, b_inner)?;
        let mut dims = self.broadcast_of(&[("", a_batch), ("", b_batch)])?;
        dims.extend([rows.clone(), columns.clone()]);
        Ok(dims)
    }

    pub fn gemm(&self) -> Result<Vec<Dim>, Obstacle> {
        let ([a0, a1], [b0, b1]) = (self.dims(0)?, self.dims(1)?) else {
            return Err(Obstacle::UnknownShape);
        };
        let flag = |name| self.node.int(name, 0) != 0;
        let (rows, a_inner) = if flag("transA") { (a1, a0) } else { (a0, a1) };
        let (columns, b_inner) = if flag("transB") { (b0, b1) } else { (b1, b0) };
        self.check_inner(a_inner, b_inner)?;
        Ok(vec![rows.clone(), columns.clone()])
    }

    fn check_inner(&self, a: &Dim, b: &Dim) -> Result<(), Obstacle> {
        if a.agrees(b) {
            Ok(())
        } else if a.is_spatial() != b.is_spatial() {
            let length = a.native();
            Err(Obstacle::FixedLength { length })
        } else {
            Err(self.misfit())
        }
    }

    /// Returns the dimensions of element-wise operators on all inputs.
    pub fn broadcast(&self) -> Result<Vec<Dim>, Obstacle> {
        self.broadcast_of(&self.all_dims()?)
    }

    fn broadcast_of(&self, inputs: &[(&str, &[Dim])]) -> Result<Vec<Dim>, Obstacle> {
        let rank = inputs.iter().map(|(_, dims)| dims.len()).max().unwrap_or(0);
        let mut joined: Vec<Dim> = vec![Dim::fixed(1); rank];
        for (_, dims) in inputs {
            for (joined, dim) in joined[rank - dims.len()..].iter_mut().zip(*dims) {
                if joined.is_one() || (dim.is_spatial() && !joined.is_spatial()) {
                    *joined = dim.clone();
                }
            }
        }
        for (name, dims) in inputs {
            for (joined, dim) in joined[rank - dims.len()..].iter().zip(*dims) {
                if dim.is_one() || dim.agrees(joined) {
                    continue;
                }
                return Err(if joined.is_spatial() && !dim.is_spatial() {
                    Obstacle::OnePerPixel {
                        value: (*name).to_owned(),
                        dims: dim::native(dims),
                    }
                } else {
                    self.misfit()
                });
            }
        }
        Ok(joined)
    }

    pub fn concat(&self) -> Result<Vec<Dim>, Obstacle> {
        let axis = self.axis(1)?;
        let inputs = self.all_dims()?;
        let mut dims = inputs[0].1.to_vec();
        let (mut native, mut resized, mut spatial) = (0u64, 0u64, false);
        for (name, next) in &inputs {
            if next.len() != dims.len() {
                return Err(Obstacle::UnknownShape);
            }
            for (at, (dim, next_dim)) in dims.iter_mut().zip(*next).enumerate() {
                if at == axis || next_dim.agrees(dim) {
                    continue;
                }
                if dim.is_spatial() == next_dim.is_spatial() {
                    return Err(self.misfit());
                }
                let (name, shape) = if dim.is_spatial() {
                    (*name, *next)
                } else {
                    inputs[0]
                };
                return Err(Obstacle::OnePerPixel {
                    value: name.to_owned(),
                    dims: dim::native(shape),
                });
            }
            native = native.saturating_add(next[axis].native());
            resized = resized.saturating_add(next[axis].resized());
            spatial |= next[axis].is_spatial();
        }
        // one input: nothing is joined
        if inputs.len() > 1 {
            dims[axis] = match spatial {
                true => Dim::spatial(native, resized),
                false => Dim::fixed(native),
            };
        }
        Ok(dims)
    }

    pub fn split(&self) -> Result<Vec<Vec<Dim>>, Obstacle> {
        let (input, axis) = (self.dims(0)?, self.axis(0)?);
        if input[axis].is_spatial() {
            let length = input[axis].native();
            return Err(Obstacle::Cuts { length });
        }
        self.along_axes()
    }

    /// Checks that no kernel covers a side of the map: it would leave one value at the native size,
    /// and more at others.
    pub fn check_kernel(&self) -> Result<(), Obstacle> {
        let sides = self.dims(0)?.get(2..).ok_or(Obstacle::UnknownShape)?;
        let kernel: Vec<u64> = match self.node.ints("kernel_shape") {
            Some(kernel) => (kernel.iter())
                .map(|&k| u64::try_from(k).unwrap_or(0))
                .collect(),
            None => {
                let weights = self.dims(1)?.get(2..).ok_or(Obstacle::UnknownShape)?;
                dim::native(weights)
            }
        };
        let output = self.native_output()?;
        for ((side, kernel), &output) in
            sides.iter().zip(kernel).zip(&output[2.min(output.len())..])
        {
            if side.is_spatial() && output == 1 && kernel > 1 && kernel >= side.native() {
                return Err(Obstacle::CoversMap { kernel });
            }
        }
        Ok(())
    }

    /// Checks that no input is a constant with a side of the native input, such as the width by
    /// which boxes are scaled or to which they are clipped.
    pub fn check_side_constants(&self) -> Result<(), Obstacle> {
        for name in &self.node.input {
            let tensor = self.known.constants.get(name.as_str());
            let floats = tensor.and_then(|tensor| tensor.to_floats(MAX_SIDE_CONSTANTS));
            for float in floats.unwrap_or_default() {
                let is_side = |(native, resized): &&(u64, u64)| {
                    native != resized && f64::from(float) == *native as f64
                };
                if let Some(&(side, _)) = self.known.sides.iter().find(is_side) {
                    let value = name.clone();
                    return Err(Obstacle::SideConstant { value, side });
                }
            }
        }
        Ok(())
    }
}
