//! Corrected labels, assigned to the images that they were exported from.
//!
//! Labelling tools keep the fields that COCO defines. They renumber images and categories, put a
//! folder or a mark before the file names and drop other keys. An image is identified by the end of
//! its file name, a category by its name.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use shuffledet_core::text;

use crate::annotations::{Annotation, Annotations, Info, LabelledCategory, LabelledImage};
use crate::truth::reaches_beyond;
use crate::{Category, ImageSource, Problem, Problems, Truth, TruthImage};

/// The images and categories that labels may refer to.
pub struct KnownImages {
    pub images: Vec<LabelledImage>,
    /// `None` allows any category.
    pub categories: Option<Vec<Category>>,
}

impl KnownImages {
    /// Assigns corrected labels to these images, in their order and with their ids. Counts what does
    /// not fit.
    pub fn assign(&self, truth: Truth, problems: &mut Problems) -> Annotations {
        let (categories, new_ids) = renumbered(&truth.categories, self, problems);
        let finder = Finder::new(&self.images);
        let mut found: BTreeMap<usize, TruthImage> = BTreeMap::new();
        for image in truth.images {
            let title = image.source.title();
            let Some(at) = finder.find(&image.source) else {
                problems.add(Problem::UnknownImage, title);
                continue;
            };
            if found.contains_key(&at) {
                problems.add(Problem::DuplicateImage, title);
                continue;
            }
            let own = &self.images[at];
            if (image.width, image.height) != (own.width, own.height) {
                // the labels state no size or another one, so boxes are checked against the known size
                let beyond = |bbox| reaches_beyond(bbox, (own.width, own.height));
                for object in image.objects.iter().filter(|object| beyond(object.bbox)) {
                    let place = format!("{title}: annotation {}: {:?}", object.id, object.bbox);
                    problems.add(Problem::BoxOutside, place);
                }
            }
            let stated = [image.width, image.height];
            if stated != [0, 0] && stated != [own.width, own.height] {
                let (found, expected) = (
                    format!("{}x{}", image.width, image.height),
                    format!("{}x{}", own.width, own.height),
                );
                let place =
                    format!("{title}: expected size {expected}, found {found} in the labels");
                problems.add(Problem::ImageSize, place);
            }
            found.insert(at, image);
        }

        let mut annotations: Vec<Annotation> = Vec::new();
        let mut images = Vec::with_capacity(found.len());
        for (at, image) in found {
            let own = self.images[at].clone();
            for object in image.objects {
                annotations.push(Annotation {
                    id: annotations.len() as u64 + 1,
                    image_id: own.id,
                    // every object has a listed category
                    category_id: new_ids[&object.category_id],
                    bbox: object.bbox,
                    area: object.area,
                    iscrowd: object.iscrowd.into(),
                    segmentation: Vec::new(),
                    score: None,
                    review: false,
                });
            }
            images.push(own);
        }
        let labelled = |category| LabelledCategory {
            category,
            supercategory: String::new(),
        };
        Annotations {
            info: Info {
                description: "corrected labels".to_owned(),
            },
            licenses: Vec::new(),
            categories: categories.into_iter().map(labelled).collect(),
            images,
            annotations,
        }
    }
}

/// Returns the categories of the labels with their ids in the export, matched by name, and the map
/// from the labels' ids to these. A category that is not in the export is counted and gets an id
/// after all others.
fn renumbered(
    categories: &[Category],
    known: &KnownImages,
    problems: &mut Problems,
) -> (Vec<Category>, HashMap<u64, u64>) {
    let Some(own) = &known.categories else {
        let same = categories.iter().map(|category| (category.id, category.id));
        return (categories.to_vec(), same.collect());
    };
    let mut next_id = 1 + own.iter().map(|category| category.id).max().unwrap_or(0);
    let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
    let mut new_ids = HashMap::new();
    for Category { id, name } in categories {
        let id_of_name = *by_name.entry(name).or_insert_with(|| {
            let same = own
                .iter()
                .find(|category| text::name(&category.name) == *name);
            same.map_or_else(
                || {
                    problems.add(Problem::UnmappedCategory, name.as_str());
                    next_id += 1;
                    next_id - 1
                },
                |category| category.id,
            )
        });
        new_ids.insert(*id, id_of_name);
    }
    let kept = by_name.into_iter().map(|(name, id)| Category {
        id,
        name: name.to_owned(),
    });
    let mut kept: Vec<Category> = kept.collect();
    kept.sort_by_key(|category| category.id);
    (kept, new_ids)
}

/// Finds images by the names that labels may use.
struct Finder<'a> {
    by_name: HashMap<Cow<'a, str>, usize>,
    by_message: HashMap<(&'a str, i64), usize>,
}

impl<'a> Finder<'a> {
    fn new(images: &'a [LabelledImage]) -> Self {
        let named = |(at, image): (usize, &'a LabelledImage)| (text::name(&image.file_name), at);
        let keyed = |(at, image): (usize, &'a LabelledImage)| {
            let message = image.message.as_ref()?;
            Some(((message.topic.as_str(), message.stamp_ns), at))
        };
        Self {
            by_name: images.iter().enumerate().map(named).collect(),
            by_message: images.iter().enumerate().filter_map(keyed).collect(),
        }
    }

    /// Finds an image by topic and stamp, or by the end of its file name: after a folder
    /// (`images/a.jpg`), a mark and a hyphen (`3f2a-a.jpg`), or a URL (`?d=a.jpg`). The longest
    /// matching name wins.
    fn find(&self, source: &ImageSource) -> Option<usize> {
        let file_name = match source {
            ImageSource::Message { topic, stamp_ns } => {
                return self.by_message.get(&(topic.as_str(), *stamp_ns)).copied();
            }
            ImageSource::File { file_name } => file_name,
        };
        let whole = std::iter::once(file_name.as_str());
        let ends = file_name.match_indices(['/', '\\', '-', '=']);
        let ends = ends.map(|(at, mark)| &file_name[at + mark.len()..]);
        whole
            .chain(ends)
            .find_map(|name| self.by_name.get(&text::name(name)).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Object;
    use crate::annotations::RecordedMessage;

    fn image(id: u64, file_name: &str) -> LabelledImage {
        LabelledImage {
            id,
            file_name: file_name.to_owned(),
            width: 100,
            height: 50,
            message: Some(RecordedMessage {
                topic: "/a".to_owned(),
                stamp_ns: id as i64,
                frame_id: String::new(),
            }),
        }
    }

    #[test]
    fn an_image_is_known_by_the_end_of_its_name() {
        let images = [
            image(1, "a_1.000000001.jpg"),
            image(2, "b_a_1.000000001.jpg"),
            image(3, "c-a_1.000000001.jpg"),
        ];
        let finder = Finder::new(&images);
        let id = |name: &str| {
            let file_name = name.to_owned();
            let at = finder.find(&ImageSource::File { file_name })?;
            Some(images[at].id)
        };
        assert_eq!(id("a_1.000000001.jpg"), Some(1));
        assert_eq!(id("images/b_a_1.000000001.jpg"), Some(2));
        assert_eq!(id("data\\upload\\3f2a-a_1.000000001.jpg"), Some(1));
        assert_eq!(id("/data/local-files/?d=a_1.000000001.jpg"), Some(1));
        assert_eq!(id("3f2a-c-a_1.000000001.jpg"), Some(3));
        assert_eq!(id("xa_1.000000001.jpg"), None);
        assert_eq!(id("a_2.jpg"), None);
        let message = |stamp_ns| ImageSource::Message {
            topic: "/a".to_owned(),
            stamp_ns,
        };
        assert_eq!(finder.find(&message(2)), Some(1));
        assert_eq!(finder.find(&message(4)), None);
    }

    #[test]
    fn what_a_tool_renumbered_has_its_ids_back() {
        let category = |(id, name): (u64, &str)| Category {
            id,
            name: name.to_owned(),
        };
        let known = KnownImages {
            images: vec![image(7, "a.jpg"), image(8, "b.jpg")],
            categories: Some([(1, "person"), (3, "car")].map(category).to_vec()),
        };
        let labelled = |id, file_name: &str, width, objects: &[(u64, [f64; 4])]| TruthImage {
            id,
            source: ImageSource::File {
                file_name: file_name.to_owned(),
            },
            width,
            height: width / 2,
            objects: (objects.iter())
                .map(|&(category_id, bbox)| Object {
                    id: 0,
                    category_id,
                    bbox,
                    area: 1.0,
                    iscrowd: false,
                    ignore: false,
                    outline: None,
                })
                .collect(),
        };
        let (inside, outside) = ([0.0, 0.0, 100.0, 50.0], [90.0, 0.0, 20.0, 50.0]);
        let truth = Truth {
            categories: [(0, "car"), (1, "tram"), (2, "car")].map(category).to_vec(),
            images: vec![
                labelled(1, "x/b.jpg", 100, &[(0, inside), (1, inside)]),
                labelled(2, "y-a.jpg", 0, &[(2, outside)]),
                labelled(3, "z/a.jpg", 100, &[(0, inside)]),
                labelled(4, "c.jpg", 100, &[]),
            ],
            ..Truth::default()
        };
        let mut problems = Problems::default();
        let labels = known.assign(truth, &mut problems);
        let ids: Vec<_> = (labels.annotations.iter())
            .map(|a| (a.id, a.image_id, a.category_id))
            .collect();
        assert_eq!(ids, [(1, 7, 3), (2, 8, 3), (3, 8, 4)]);
        assert_eq!(labels.images, known.images);
        let names: Vec<_> = labels.categories.iter().map(|c| &c.category).collect();
        assert_eq!(names, [&category((3, "car")), &category((4, "tram"))]);
        for problem in [
            Problem::UnknownImage,
            Problem::DuplicateImage,
            Problem::BoxOutside,
            Problem::UnmappedCategory,
        ] {
            assert_eq!(problems.count(problem), 1, "{problem:?}");
        }
        assert_eq!(problems.total(), 4);
    }
}
