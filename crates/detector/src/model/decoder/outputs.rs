//! Recognises a model's outputs by their shapes. Exporters name and order them differently, and
//! some omit the batch axis.

use shuffledet_infer::ShapeMismatch;

/// Returns the index of the output for each role. `expected` are the roles' shapes without a batch
/// axis, `found` the shapes of the outputs in their order, -1 for a dimension that is not fixed. An
/// output may have a batch axis of 1. The order of `expected` decides where shapes do not.
///
/// # Errors
/// The number of outputs or a shape differs, or two outputs could exchange their roles and they are
/// not in the order of `expected`.
pub fn assign<const N: usize>(
    family: &'static str,
    classes: usize,
    expected: &[Vec<i64>; N],
    found: &[Vec<i64>],
) -> Result<[usize; N], ShapeMismatch> {
    let mut ways = Vec::new();
    if found.len() == N {
        collect(expected, found, &mut Vec::with_capacity(N), &mut ways);
    }
    let in_order = std::array::from_fn(|index| index);
    let reason = match ways.as_slice() {
        [first, ..] if *first == in_order => return Ok(in_order),
        [only] => return Ok(*only),
        [] if N == 1 => "",
        [] => ", in any order",
        _ => " in this order, because the shapes do not tell the outputs apart",
    };
    Err(ShapeMismatch {
        family,
        classes,
        expected: format!("{expected:?}{reason}, with or without a batch axis of 1"),
        found: format!("{found:?}"),
    })
}

/// Collects up to two ways to assign the outputs, in lexical order. `taken` are the outputs of the
/// first roles.
fn collect<const N: usize>(
    expected: &[Vec<i64>; N],
    found: &[Vec<i64>],
    taken: &mut Vec<usize>,
    ways: &mut Vec<[usize; N]>,
) {
    if let Ok(way) = <[usize; N]>::try_from(taken.as_slice()) {
        ways.push(way);
        return;
    }
    for output in 0..N {
        let free = !taken.contains(&output) && ways.len() < 2;
        if free && fits(&found[output], &expected[taken.len()]) {
            taken.push(output);
            collect(expected, found, taken, ways);
            taken.pop();
        }
    }
}

fn fits(found: &[i64], expected: &[i64]) -> bool {
    let found = without_batch(found, expected.len());
    found.len() == expected.len() && found.iter().zip(expected).all(|(&f, &e)| f == e || f == -1)
}

/// Returns the last `rank` dimensions if the one before them is a batch of 1, or not fixed;
/// otherwise all.
pub fn without_batch(shape: &[i64], rank: usize) -> &[i64] {
    match shape {
        [1 | -1, rest @ ..] if rest.len() == rank => rest,
        _ => shape,
    }
}

/// Returns the number of values of each output in the file's order. `roles` are the outputs by
/// role, `shapes` the roles' shapes.
pub fn lengths<const N: usize>(roles: &[usize; N], shapes: &[Vec<i64>; N]) -> Vec<usize> {
    let mut lengths = vec![0; N];
    for (&output, shape) in roles.iter().zip(shapes) {
        lengths[output] = shape.iter().product::<i64>() as usize;
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn roles() -> [Vec<i64>; 4] {
        [vec![16, 80], vec![4, 80], vec![16, 32], vec![4, 32]]
    }

    proptest! {
        #[test]
        fn every_order_is_recognised(
            order in Just([0usize, 1, 2, 3]).prop_shuffle(), batches in any::<[bool; 4]>(),
        ) {
            let found: Vec<_> = order.iter().zip(batches).map(|(&role, batch)| {
                let shape = roles()[role].clone();
                if batch { [&[1], &shape[..]].concat() } else { shape }
            }).collect();
            let assigned = assign("any", 80, &roles(), &found).unwrap();
            for (role, output) in assigned.into_iter().enumerate() {
                prop_assert_eq!(order[output], role);
            }
            let lengths = lengths(&assigned, &roles());
            for (found, length) in found.iter().zip(lengths) {
                prop_assert_eq!(found.iter().product::<i64>() as usize, length);
            }
        }
    }

    #[test]
    fn equal_shapes_have_to_be_in_order() {
        let alike = [vec![16, 32], vec![4, 32], vec![16, 32], vec![4, 32]];
        assert_eq!(assign("any", 32, &alike, &alike).unwrap(), [0, 1, 2, 3]);
        let exchanged = [vec![16, 32], vec![16, 32], vec![4, 32], vec![4, 32]];
        let error = assign("any", 32, &alike, &exchanged).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("do not tell the outputs apart"), "{error}");
    }

    #[test]
    fn other_shapes_are_refused() {
        let others: [&[Vec<i64>]; 5] = [
            &roles()[..3],
            &[],
            &[vec![16, 81], vec![4, 80], vec![16, 32], vec![4, 32]],
            &[vec![2, 16, 80], vec![4, 80], vec![16, 32], vec![4, 32]],
            &[vec![], vec![4, 80], vec![16, 32], vec![4, 32]],
        ];
        for found in others {
            let error = assign("any", 80, &roles(), found).unwrap_err().to_string();
            assert!(error.contains("in any order"), "{error}");
        }
        let open = [
            vec![-1, -1, 80],
            vec![4, 80],
            vec![16, 32],
            vec![-1, -1, 32],
        ];
        assert!(assign("any", 80, &roles(), &open).is_ok());
    }
}
