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
/// where `matches` names one and those of `fresh` elsewhere; the rows behind the classes from
/// `source`.
pub fn moved(
    description: &Description,
    variable: &str,
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
    // behind a softmax a class without a row begins as likely as the mean of those that have one
    let is_softmax_bias = description.head == Head::FastestDet && variable.ends_with("norm.bias");
    let kept: Vec<i64> = matches
        .iter()
        .flatten()
        .filter(|i| fits(i))
        .map(|&i| i as i64)
        .collect();
    if is_softmax_bias && !kept.is_empty() {
        let mean = source
            .index_select(0, &Tensor::from_slice(&kept))
            .mean(Kind::Float);
        for class in (0..matches.len()).filter(|&class| matches[class].is_none()) {
            result.get(class as i64).copy_(&mean);
        }
    }
    let rest = source.narrow(0, classes, further);
    result
        .narrow(0, fresh.size()[0] - further, further)
        .copy_(&rest);
    Some(result)
}
