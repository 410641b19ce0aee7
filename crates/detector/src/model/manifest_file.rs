//! The files that the manifest names: fetched, or made from fetched ones.

use serde::Deserialize;

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
    sha256: String,
    size_bytes: u64,
    licence: String,
    source: String,
}

impl TryFrom<RawFile> for ManifestFile {
    type Error = &'static str;

    fn try_from(raw: RawFile) -> Result<Self, Self::Error> {
        let origin = match (raw.url, raw.ncnn) {
            (Some(url), None) => Origin::Url(url),
            (None, Some(network)) => Origin::Ncnn(network),
            (Some(_), Some(_)) => return Err("expected `url` or `ncnn`, found both"),
            (None, None) => return Err("expected `url` or `ncnn`, found neither"),
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
        let neither = parse(&FILE.replace(", url: e", ""))
            .unwrap_err()
            .to_string();
        assert!(neither.contains("found neither"), "{neither}");
        let both = parse(&FILE.replace("url: e", &format!("url: e, {network}")));
        assert!(both.unwrap_err().to_string().contains("found both"));
    }
}
