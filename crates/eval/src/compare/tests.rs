use super::*;
use crate::fixtures::{COMPARE_SETTINGS, noisy_images};
use crate::fixtures::{found, image, object, subject};
use crate::subject::Machine;
use crate::{Problems, Subject};
use shuffledet_core::Stage;

fn evaluation(images: Vec<ImageRecord>, change: impl Fn(&mut Subject)) -> Evaluation {
    let mut subject = subject();
    change(&mut subject);
    Evaluation::new(subject, Problems::default(), images, 1.0, 1).unwrap()
}

fn evaluation_of(images: Vec<ImageRecord>) -> Evaluation {
    evaluation(images, |_| ())
}

fn compared(a: &Evaluation, b: &Evaluation) -> Comparison {
    compare(("a.json", a), ("b.json", b), &COMPARE_SETTINGS).unwrap()
}

fn refusal(a: &Evaluation, b: &Evaluation) -> String {
    compare(("a.json", a), ("b.json", b), &COMPARE_SETTINGS)
        .unwrap_err()
        .to_string()
}

fn stage(comparison: &Comparison, stage: Stage) -> Verdict {
    comparison
        .latency
        .iter()
        .find(|row| row.stage == stage)
        .unwrap()
        .verdict
}

#[test]
fn a_run_is_no_different_from_itself() {
    let a = evaluation_of(noisy_images(60, 10.0, 20.0, 1));
    let same = compared(&a, &a);
    assert!(!same.regression);
    assert!(
        same.verdicts()
            .iter()
            .all(|v| matches!(v, Verdict::NoDifference | Verdict::NotJudged))
    );
    assert!(same.differences.is_empty() && same.notes.is_empty() && same.regressions().is_empty());
    let Changes {
        unchanged,
        appeared,
        vanished,
        moved,
        ..
    } = same.changes;
    assert_eq!((unchanged, appeared, vanished, moved), (120, 0, 0, 0));
}

#[test]
fn worse_boxes_are_worse_and_the_other_way_round_better() {
    let (a, b) = (
        evaluation_of(noisy_images(60, 5.0, 20.0, 1)),
        evaluation_of(noisy_images(60, 25.0, 20.0, 2)),
    );
    let worse = compared(&a, &b);
    assert!(worse.regression);
    assert_eq!(
        (worse.figures[0].name.as_str(), worse.figures[0].verdict),
        ("AP", Verdict::Worse)
    );
    assert!(
        worse
            .per_class
            .iter()
            .all(|class| class.verdict == Verdict::Worse && class.instances == 60)
    );
    assert!(worse.regressions()[0].starts_with("AP: "));
    assert!(worse.changes.moved > 20);
    let better = compared(&b, &a);
    assert!(!better.regression);
    assert_eq!(better.figures[0].verdict, Verdict::Better);
}

#[test]
fn a_slower_run_is_worse_and_noise_is_not() {
    let a = evaluation_of(noisy_images(200, 5.0, 20.0, 1));
    for seed in 2..40 {
        let again = compared(&a, &evaluation_of(noisy_images(200, 5.0, 20.5, seed)));
        assert!(!again.regression, "{:?}", again.regressions());
    }
    let slower = compared(&a, &evaluation_of(noisy_images(200, 5.0, 24.0, 2)));
    assert!(slower.regression);
    assert_eq!(stage(&slower, Stage::Infer), Verdict::Worse);
    // a fifth more, and not a twentieth of a millisecond
    assert_eq!(stage(&slower, Stage::Nms), Verdict::NoDifference);
    assert_eq!(stage(&slower, Stage::Queue), Verdict::NotJudged);
    let elsewhere = evaluation(noisy_images(200, 5.0, 24.0, 2), |subject| {
        subject.machines = vec![Machine {
            hostname: "another".to_owned(),
            ..subject.machines[0].clone()
        }];
    });
    let elsewhere = compared(&a, &elsewhere);
    assert!(!elsewhere.regression && elsewhere.notes[0].contains("different machines"));
}

#[test]
fn images_in_one_of_them_are_named_and_left_out() {
    let all = noisy_images(30, 5.0, 20.0, 1);
    let (a, b) = (
        evaluation_of(all[..25].to_vec()),
        evaluation_of(all[5..].to_vec()),
    );
    let both = compared(&a, &b);
    assert_eq!(
        (
            both.images.both,
            both.images.only_a.len(),
            both.images.only_b.len()
        ),
        (20, 5, 5)
    );
    assert_eq!(both.images.only_a[0], "0.jpg");
    assert!(
        both.notes[0].contains("left out 5 images that only A has")
            && both.notes[1].contains("25.jpg first")
    );
    assert!(refusal(&evaluation_of(all[..5].to_vec()), &b).contains("no image in common"));
}

#[test]
fn other_annotations_are_refused_by_name_unless_allowed() {
    let a = evaluation_of(noisy_images(10, 5.0, 20.0, 1));
    let mut corrected = noisy_images(10, 5.0, 20.0, 1);
    corrected[3].objects.pop();
    // an id alone is no difference
    corrected[4].objects[0].id = 77;
    let b = evaluation(corrected, |subject| {
        subject.dataset.sha256 = "bb".to_owned()
    });
    let error = refusal(&a, &b);
    assert!(
        error.contains("of 1 of 10 images differ, 3.jpg first (sha256 aa and bb)"),
        "{error}"
    );
    let allowed = CompareSettings {
        allow_different_truth: true,
        ..COMPARE_SETTINGS
    };
    let compared = compare(("a", &a), ("b", &b), &allowed).unwrap();
    // by the annotations of B both are the same
    assert_eq!(compared.figures[0].interval.difference.unwrap().value, 0.0);
    assert!(compared.notes[0].contains("judged by those of B"));
    let other = evaluation(noisy_images(10, 5.0, 20.0, 1), |subject| {
        subject.dataset.categories[1].name = "lorry".to_owned();
    });
    let error = refusal(&a, &other);
    assert!(
        error.contains("class 2 (id 2) in the first alone"),
        "{error}"
    );
}

#[test]
fn what_appeared_vanished_and_moved_is_told_with_its_image() {
    let bbox = |x: f64| [x, 0.0, 100.0, 100.0];
    let record = |detections| image(0, vec![object(1, bbox(0.0))], detections);
    let a = evaluation_of(vec![record(vec![
        found(1, bbox(0.0), 0.9),
        found(2, bbox(0.0), 0.8),
        found(1, bbox(300.0), 0.7),
    ])]);
    let b = evaluation_of(vec![record(vec![
        found(1, bbox(20.0), 0.6),
        found(1, bbox(302.0), 0.9),
        found(1, bbox(600.0), 0.5),
        found(1, bbox(800.0), 0.2),
    ])]);
    let changes = compared(&a, &b).changes;
    assert_eq!(
        (
            changes.unchanged,
            changes.appeared,
            changes.vanished,
            changes.moved
        ),
        (1, 1, 1, 1)
    );
    assert_eq!((changes.appeared_right, changes.vanished_right), (0, 0));
    let [image] = changes.images.as_slice() else {
        panic!("{changes:?}");
    };
    let kinds: Vec<_> = image
        .changes
        .iter()
        .map(|c| (c.kind, c.class.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            (ChangeKind::Moved, "class 1"),
            (ChangeKind::Vanished, "class 2"),
            (ChangeKind::Appeared, "class 1")
        ]
    );
    assert!(image.changes[0].a.unwrap().right && image.changes[0].b.unwrap().right);
}

#[test]
fn more_failures_are_worse() {
    let a = evaluation_of(noisy_images(10, 5.0, 20.0, 1));
    let mut failed = noisy_images(10, 5.0, 20.0, 1);
    failed[0].failure = Some("damaged: ends early".to_owned().into());
    failed[0].stages_ms.clear();
    let worse = compared(&a, &evaluation_of(failed));
    assert_eq!(
        (worse.failures.a, worse.failures.b, worse.failures.verdict),
        (0, 1, Verdict::Worse)
    );
    assert!(worse.regression && worse.latency.iter().all(|row| row.images == 9));
}

/// A class that is in four images is no evidence, however clear the difference.
#[test]
fn a_rare_class_is_not_judged() {
    let worse = |index: u64| {
        let mut run = noisy_images(40, 5.0, 20.0, 1);
        for image in run.iter_mut().skip(4) {
            image.objects.retain(|object| object.category_id == 1);
            image.detections.retain(|found| found.category_id == 1);
        }
        run.iter_mut().take(4).for_each(|image| {
            image.detections.retain(|found| found.category_id <= index);
        });
        evaluation_of(run)
    };
    let comparison = compared(&worse(2), &worse(1));
    let [first, second] = comparison.per_class.as_slice() else {
        panic!("{:?}", comparison.per_class);
    };
    assert_eq!((first.verdict, first.images), (Verdict::NoDifference, 40));
    assert_eq!((second.verdict, second.images), (Verdict::TooFewImages, 4));
    assert_eq!(second.ap.b, Some(0.0));
}
