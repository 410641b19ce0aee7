//! Moves the class layer's rows to another list of classes.

use tch::{Kind, Tensor};

use shuffledet_core::text::same_name;

use crate::net::{Description, Head, NANODET_PLUS_STRIDES};

/// Returns what the names of the class layers' variables begin with.
fn class_layers(head: Head) -> Vec<String> {
    match head {
        Head::FastestDet => vec!["head.classes.last.".to_owned()],
        Head::Classifier => vec!["head.classes.".to_owned()],
        Head::NanoDetPlus => NANODET_PLUS_STRIDES
            .iter()
            .map(|stride| format!("head.stride{stride}.last."))
            .chain(["auxiliary.classes.last.".to_owned()])
            .collect(),
    }
}

/// Returns whether a variable has a row for each class, before others.
pub fn has_classes(head: Head, variable: &str) -> bool {
    class_layers(head)
        .iter()
        .any(|layer| variable.starts_with(layer))
}

/// For each class of `to`, the index of the class of the same name in `from`.
pub fn matches(from: &[String], to: &[String]) -> Vec<Option<usize>> {
    to.iter()
        .map(|name| from.iter().position(|other| same_name(other, name)))
        .collect()
}

/// Returns a variable of the class layer for the classes of `description`: the rows of `source`
/// where `matches` names one and those of `fresh` elsewhere, for FastestDet the mean of the rows that
/// `matches` names, or of all; the rows behind the classes from `source`.
pub fn moved(
    description: &Description,
    source: &Tensor,
    fresh: &Tensor,
    matches: &[Option<usize>],
) -> Option<Tensor> {
    let old = source.size()[0];
    let further = fresh.size()[0] - description.classes.len() as i64;
    let classes = old - further;
    if classes < 0 || source.size()[1..] != fresh.size()[1..] {
        return None;
    }
    let fits = |index: &usize| (*index as i64) < classes;
    let result = fresh.copy();
    for (class, index) in matches.iter().enumerate() {
        if let Some(index) = index.filter(fits) {
            result.get(class as i64).copy_(&source.get(index as i64));
        }
    }
    if description.head == Head::FastestDet && classes > 0 {
        // behind a softmax, a class without a row begins as the mean of those that have one. It has the scale of their
        // norms too, without which it would learn many times more slowly than they do
        let kept = matches.iter().flatten().filter(|index| fits(index));
        let mut known: Vec<i64> = kept.map(|&index| index as i64).collect();
        if known.is_empty() {
            known = (0..classes).collect();
        }
        let mean = source
            .index_select(0, &Tensor::from_slice(&known).to_device(source.device()))
            .mean_dim(&[0i64][..], false, Kind::Float);
        for (class, index) in matches.iter().enumerate() {
            if index.filter(fits).is_none() {
                result.get(class as i64).copy_(&mean);
            }
        }
    }
    let rest = source.narrow(0, classes, further);
    result
        .narrow(0, fresh.size()[0] - further, further)
        .copy_(&rest);
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Width;
    use shuffledet_core::Resolution;

    #[test]
    fn rows_are_kept_by_name_and_fastestdet_begins_new_ones_as_their_mean() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let (from, to): (Vec<_>, Vec<_>) =
            (names(&["car", "bus", "dog"]), names(&["bus", "van", "car"]));
        let matches = matches(&from, &to);
        assert_eq!(matches, [Some(1), None, Some(0)]);
        let side = Resolution {
            width: 32,
            height: 32,
        };
        let row = |values: &[f32]| Tensor::from_slice(values);
        let moved = |head, source: &Tensor, matches: &[Option<usize>]| {
            let description = Description::new(head, Width::X0_5, to.clone(), side);
            let further = if head == Head::NanoDetPlus { 2 } else { 0 };
            let fresh = Tensor::full([3 + further], -1.0, (Kind::Float, tch::Device::Cpu));
            moved(&description, source, &fresh, matches).unwrap()
        };
        let source = row(&[2.0, 4.0, 9.0]);
        assert_eq!(
            moved(Head::FastestDet, &source, &matches),
            row(&[4.0, 3.0, 2.0])
        );
        assert_eq!(moved(Head::FastestDet, &source, &[None; 3]), row(&[5.0; 3]));
        assert_eq!(
            moved(Head::Classifier, &source, &matches),
            row(&[4.0, -1.0, 2.0])
        );
        let source = row(&[2.0, 4.0, 9.0, 7.0, 8.0]);
        let expected = row(&[4.0, -1.0, 2.0, 7.0, 8.0]);
        assert_eq!(moved(Head::NanoDetPlus, &source, &matches), expected);
    }
}
