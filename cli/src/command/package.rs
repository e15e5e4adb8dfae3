//! `wharf package`: a project as one artifact.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use crate::args::{self, Overrides};
use crate::bundle::Bundle;
use crate::oci::image::Image;
use crate::oci::layout;
use crate::output;

/// Write it, and say its digest.
pub(crate) fn package(args: &args::Package) -> Result<()> {
    let bundle = Bundle::read(&args.path, &Overrides::default())?;
    let image = Image::of(&bundle)?;
    let path = args.out.clone();
    let path = path.unwrap_or_else(|| PathBuf::from(format!("{}.tar", bundle.name())));
    layout::write(&image, &path)?;
    let size: u64 = image.blobs.iter().map(|blob| blob.descriptor.size).sum();
    let value = json!({ "name": bundle.name(), "path": path, "digest": image.digest, "size": size });
    let said = |_: &_| format!("{}: {}\n{}", path.display(), output::bytes(size), image.digest);
    Ok(output::answer(args.output, &value, said)?)
}
