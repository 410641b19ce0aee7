//! The files that the manifest names: built into the program, fetched, or made from fetched ones.

use serde::Deserialize;

use super::built_in;

/// A file of the manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawFile")]
pub struct ManifestFile {
    pub name: String,
    /// In lower-case hexadecimal.
    pub sha256: String,
    pub size_bytes: u64,
    pub licence: String,
    /// The web page about it.
    pub source: String,
    pub origin: Origin,
}

/// Where a file of the manifest comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// The address of the file itself.
    Url(String),
    /// It is made from a network of ncnn.
    Ncnn(NcnnNetwork),
    /// Its content is compiled into the program.
    BuiltIn(&'static [u8]),
}

/// The two files of a network of ncnn, and the size of the input of what is made from them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NcnnNetwork {
    pub param: RemoteFile,
    pub bin: RemoteFile,
    pub input_width: u32,
    pub input_height: u32,
}

/// A file to fetch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteFile {
    pub name: String,
    pub url: String,
    /// In lower-case hexadecimal.
    pub sha256: String,
    pub size_bytes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    name: String,
    url: Option<String>,
    ncnn: Option<NcnnNetwork>,
    #[serde(default)]
    built_in: bool,
    sha256: String,
    size_bytes: u64,
    licence: String,
    source: String,
}

impl TryFrom<RawFile> for ManifestFile {
    type Error = &'static str;

    fn try_from(raw: RawFile) -> Result<Self, Self::Error> {
        let origin = match (raw.url, raw.ncnn, raw.built_in) {
            (Some(url), None, false) => Origin::Url(url),
            (None, Some(network), false) => Origin::Ncnn(network),
            (None, None, true) => {
                let content = built_in::content(&raw.name);
                Origin::BuiltIn(content.ok_or("`built_in`: the program has no file of that name")?)
            }
            (None, None, false) => {
                return Err("expected `url`, `ncnn` or `built_in: true`, found none of them");
            }
            _ => return Err("expected one of `url`, `ncnn` and `built_in: true`, found several"),
        };
        Ok(Self {
            name: raw.name,
            sha256: raw.sha256,
            size_bytes: raw.size_bytes,
            licence: raw.licence,
            source: raw.source,
            origin,
        })
    }
}

impl ManifestFile {
    /// Returns the content of a file that is compiled into the program.
    pub fn built_in(&self) -> Option<&'static [u8]> {
        match self.origin {
            Origin::BuiltIn(content) => Some(content),
            Origin::Url(_) | Origin::Ncnn(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "{name: a, sha256: b, size_bytes: 1, licence: c, source: d, url: e}";

    #[test]
    fn a_file_has_one_origin() {
        let parse = |yaml: &str| serde_yaml::from_str::<ManifestFile>(yaml);
        assert!(matches!(parse(FILE).unwrap().origin, Origin::Url(url) if url == "e"));
        let part = "{name: a, url: b, sha256: c, size_bytes: 1}";
        let network =
            format!("ncnn: {{param: {part}, bin: {part}, input_width: 32, input_height: 64}}");
        let made = parse(&FILE.replace("url: e", &network)).unwrap();
        assert!(matches!(made.origin, Origin::Ncnn(network) if network.input_height == 64));
        let built_in = FILE.replace("url: e", "built_in: true");
        let known = parse(&built_in.replace("name: a", "name: road.onnx")).unwrap();
        assert!(known.built_in().is_some_and(|content| !content.is_empty()));
        let refusal = |yaml: &str| parse(yaml).unwrap_err().to_string();
        let unknown = refusal(&built_in);
        assert!(unknown.contains("no file of that name"), "{unknown}");
        let none = refusal(&FILE.replace(", url: e", ""));
        assert!(none.contains("found none of them"), "{none}");
        for other in [network.as_str(), "built_in: true"] {
            let several = refusal(&FILE.replace("url: e", &format!("url: e, {other}")));
            assert!(several.contains("found several"), "{several}");
        }
    }
}
