//! The files of a bundle as a tar archive, and back.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path};

use anyhow::{Context as _, Result, bail};
use tar::{Archive, Builder, EntryType, Header};
use wharf_control::manifest::{MAX_BUNDLE_FILES, MAX_BUNDLE_SIZE, PackagedMount};

/// Everybody may read them: what they are for the guest is not for the archive to say.
const MODE: u32 = 0o644;

/// Writes the files in the order of their mounts and paths.
pub(super) fn pack(mounts: &[PackagedMount], to: impl Write) -> Result<()> {
    let mut archive = Builder::new(to);
    for (number, mount) in mounts.iter().enumerate() {
        for file in &mount.files {
            let content =
                File::open(&file.host).with_context(|| format!("cannot read {}", file.host.display()))?;
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_mode(MODE);
            header.set_size(file.size);
            let path = Path::new(&number.to_string()).join(&file.path);
            // One that grew meanwhile is another file than the one that was digested.
            let content = content.take(file.size);
            archive
                .append_data(&mut header, path, content)
                .with_context(|| format!("cannot pack {}", file.host.display()))?;
        }
    }
    archive.finish()?;
    Ok(())
}

/// Writes an archive's files below a directory. Only plain files come out of it, none outside of the directory, and no
/// more than a bundle may have.
pub(super) fn unpack(archive: impl Read, below: &Path) -> Result<()> {
    let mut archive = Archive::new(archive);
    let (mut count, mut size) = (0, 0);
    for entry in archive.entries().context("the files are no tar archive")? {
        let mut entry = entry.context("the archive of the files is damaged")?;
        let path = entry
            .path()
            .context("the archive of the files is damaged")?
            .into_owned();
        let is_plain = |part| matches!(part, Component::Normal(_));
        if path.as_os_str().is_empty() || !path.components().all(is_plain) {
            bail!(
                "{} in the archive of the files leads out of the bundle",
                path.display()
            );
        }
        count += 1;
        size += entry.size();
        if count > MAX_BUNDLE_FILES || size > MAX_BUNDLE_SIZE {
            bail!(
                "the bundle has more than {MAX_BUNDLE_FILES} files or {MAX_BUNDLE_SIZE} bytes of them, the most there may be"
            );
        }
        let to = below.join(&path);
        match entry.header().entry_type() {
            EntryType::Regular => {}
            EntryType::Directory => {
                std::fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
                continue;
            }
            _ => bail!("{} in the archive of the files is no plain file", path.display()),
        }
        write(&mut entry, &to).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}

fn write(from: &mut impl Read, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    // A second one of the same name is refused.
    let mut file = File::create_new(to)?;
    io::copy(from, &mut file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive as nobody should send it.
    fn archive(entries: &[(&str, EntryType)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, kind) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(0);
            // As it is: the library would refuse to write it.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, io::empty()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn nothing_comes_out_that_is_no_plain_file_of_the_bundle() {
        for (path, kind) in [
            ("../x", EntryType::Regular),
            ("/x", EntryType::Regular),
            ("0/../../x", EntryType::Regular),
            ("0/x", EntryType::Symlink),
            ("0/x", EntryType::Link),
            ("0/x", EntryType::Char),
        ] {
            let home = tempfile::tempdir().unwrap();
            let below = home.path().join("below");
            let refused = unpack(archive(&[(path, kind)]).as_slice(), &below);
            assert!(refused.is_err(), "{path} {kind:?}");
            assert!(
                !home.path().join("x").exists() && !below.join("0/x").exists(),
                "{path}"
            );
        }
    }

    #[test]
    fn a_second_file_of_one_name_is_refused() {
        let twice = archive(&[("0/x", EntryType::Regular), ("0/x", EntryType::Regular)]);
        let home = tempfile::tempdir().unwrap();
        assert!(unpack(twice.as_slice(), home.path()).is_err());
    }
}
