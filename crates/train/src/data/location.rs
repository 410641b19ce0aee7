//! Where the labels and the pictures of a data set are.

use std::path::{Path, PathBuf};

use super::DataError;

/// Files of annotations that a folder of a data set may have, the first that exists is taken.
const ANNOTATIONS: [&str; 3] = [
    "labels.json",
    "annotations.json",
    // as `shuffledet label export` and CVAT write them
    "annotations/instances_default.json",
];

/// The labels and the pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataLocation {
    /// A file of COCO annotations, or a folder of YOLO's or KITTI's label files.
    pub labels: PathBuf,
    pub images: PathBuf,
    /// File names of the held-out pictures, one in each line, if the folder has such a list.
    pub val_list: Option<PathBuf>,
}

impl DataLocation {
    /// Finds the labels of `data`: a file of annotations, or a folder that has one, or a folder `labels` of label files.
    /// Pictures are in `images`, by default in the folder of that name beside the labels, else beside the labels.
    ///
    /// # Errors
    /// There are no labels.
    pub fn find(data: &Path, images: Option<&Path>) -> Result<Self, DataError> {
        let none = || DataError::NoLabels {
            path: data.to_owned(),
        };
        let folder = match data.is_dir() {
            true => data,
            false => match data.parent() {
                Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
                Some(parent) => parent,
                None => return Err(none()),
            },
        };
        let labels = if data.is_dir() {
            let files = ANNOTATIONS.iter().map(|name| data.join(name));
            let found = files
                .chain([data.join("labels")])
                .find(|path| path.exists());
            // a folder of label files itself
            match found {
                Some(labels) => labels,
                None if has_label_files(data) => data.to_owned(),
                None => return Err(none()),
            }
        } else if data.exists() {
            data.to_owned()
        } else {
            return Err(none());
        };
        let images = images.map(Path::to_owned).unwrap_or_else(|| {
            let beside = folder.join("images");
            if beside.is_dir() {
                beside
            } else {
                folder.to_owned()
            }
        });
        let list = folder.join("val_list.txt");
        // a file of annotations of its own is not what the folder's list splits
        let val_list = (data.is_dir() && list.is_file()).then_some(list);
        Ok(Self {
            labels,
            images,
            val_list,
        })
    }
}

fn has_label_files(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .any(|path| path.extension().is_some_and(|ending| ending == "txt"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_folder_or_a_file_names_the_data() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert!(matches!(
            DataLocation::find(root, None),
            Err(DataError::NoLabels { .. })
        ));
        fs::create_dir(root.join("images")).unwrap();
        fs::write(root.join("labels.json"), "{}").unwrap();
        fs::write(root.join("val_list.txt"), "a.jpg").unwrap();
        let found = DataLocation::find(root, None).unwrap();
        assert_eq!(found.labels, root.join("labels.json"));
        assert_eq!(found.images, root.join("images"));
        assert_eq!(found.val_list, Some(root.join("val_list.txt")));
        let file = DataLocation::find(&root.join("labels.json"), None).unwrap();
        assert_eq!((file.images, file.val_list), (root.join("images"), None));
        let other = DataLocation::find(root, Some(Path::new("/pictures"))).unwrap();
        assert_eq!(other.images, Path::new("/pictures"));
        assert!(DataLocation::find(&root.join("absent.json"), None).is_err());
    }
}
