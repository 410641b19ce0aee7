//! What a run compares: the start, the best weights and their blend.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Summary;

/// The figures of the start, of the best weights and of their blend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub val: Compared,
    pub keep: Option<Compared>,
    /// The share of the trained weights in the blend.
    pub blend: f64,
    /// Steps of the best weights and of the whole run.
    pub best_step: u64,
    pub steps: u64,
}

/// One set of pictures, measured with each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    pub pictures: usize,
    pub start: Summary,
    pub trained: Summary,
    pub blended: Summary,
}

impl Figures {
    /// Whether the start has a better AP than the result on the held-out pictures or, by more than rounding, on the
    /// general set.
    pub fn start_is_better(&self) -> bool {
        let keep = self.keep.as_ref();
        self.val.start.ap > self.val.blended.ap
            || keep.is_some_and(|keep| keep.start.ap > keep.blended.ap + 0.005)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |name: &str, of: &Compared| {
            format!(
                "{name} ({} pictures)  start {:.4}  trained {:.4}  blended {:.4}",
                of.pictures, of.start.ap, of.trained.ap, of.blended.ap
            )
        };
        writeln!(f, "AP")?;
        writeln!(f, "  {}", row("held out", &self.val))?;
        if let Some(keep) = &self.keep {
            writeln!(f, "  {}", row("general ", keep))?;
        }
        writeln!(f, "AP by class, held out: objects, start, trained, blended")?;
        let classes = self
            .val
            .start
            .classes
            .iter()
            .zip(&self.val.trained.classes)
            .zip(&self.val.blended.classes);
        for (((name, start, objects), (_, trained, _)), (_, blended, _)) in classes {
            let [a, b, c] = [start, trained, blended]
                .map(|ap| ap.map_or("-".to_owned(), |ap| format!("{ap:.4}")));
            writeln!(f, "  {name:16} {objects:5}  {a:>7} {b:>7} {c:>7}")?;
        }
        match self.start_is_better() {
            true => write!(
                f,
                "The start is better than the result: use the start, or train with more pictures, longer or with a lower learning rate."
            ),
            false => write!(
                f,
                "The result is {} trained and {} start.",
                self.blend,
                1.0 - self.blend
            ),
        }
    }
}
