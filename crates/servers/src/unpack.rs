//! Unpacks the two archives that are not used as they are: the registry's tar.gz and PostgreSQL's txz inside a jar.

use std::io::Read;
use std::path::Path;

use crate::error::{Error, at};

/// Unpacks a `.tar.gz` so that `folder` exists only when it is whole.
pub fn tar_gz(archive: &Path, folder: &Path) -> Result<(), Error> {
    whole(folder, |folder| {
        let file = std::fs::File::open(archive).map_err(at("open", archive))?;
        untar(archive, flate2::read::GzDecoder::new(std::io::BufReader::new(file)), folder)
    })
}

/// Unpacks the one `.txz` of a jar so that `folder` exists only when it is whole.
pub fn txz_in_jar(jar: &Path, folder: &Path) -> Result<(), Error> {
    let bad = |cause: String| Error::Unpack { archive: jar.into(), cause };
    whole(folder, |folder| {
        let file = std::fs::File::open(jar).map_err(at("open", jar))?;
        let mut zip = zip::ZipArchive::new(std::io::BufReader::new(file)).map_err(|e| bad(e.to_string()))?;
        let is_txz = |name: &str| name.ends_with(".txz");
        let index = zip.file_names().position(|name| name.is_ok_and(|name| is_txz(&name)));
        let entry = zip.by_index(index.ok_or_else(|| bad("no .txz in it".into()))?);
        let entry = entry.map_err(|e| bad(e.to_string()))?;
        untar(jar, liblzma::read::XzDecoder::new(entry), folder)
    })
}

fn untar(archive: &Path, tar: impl Read, folder: &Path) -> Result<(), Error> {
    let mut tar = tar::Archive::new(tar);
    tar.set_preserve_permissions(true);
    tar.unpack(folder).map_err(|cause| Error::Unpack { archive: archive.into(), cause: cause.to_string() })
}

/// A kill in the middle leaves a folder under another name, which the next start clears away.
fn whole(folder: &Path, fill: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let new = folder.with_added_extension("new");
    if new.exists() {
        std::fs::remove_dir_all(&new).map_err(at("clear", &new))?;
    }
    std::fs::create_dir_all(&new).map_err(at("create", &new))?;
    fill(&new)?;
    std::fs::rename(&new, folder).map_err(at("rename to", folder))
}
