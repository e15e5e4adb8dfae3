//! Blobs: whole and right, or not there.

use futures_util::stream;
use proptest::prelude::*;

use super::*;

fn ns(text: &str) -> NamespaceName {
    text.parse().unwrap()
}

fn digest(content: &[u8]) -> Digest {
    Digest::from_sha256(Sha256::digest(content).into())
}

fn body(chunks: &[&[u8]]) -> impl Stream<Item = Result<Bytes, io::Error>> + use<> {
    let chunks: Vec<_> = chunks
        .iter()
        .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
        .collect();
    stream::iter(chunks)
}

fn open() -> (Blobs, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    (Blobs::open(data.path()).unwrap(), data)
}

fn unfinished(blobs: &Blobs) -> PathBuf {
    blobs.root.join(BLOBS).join(UNFINISHED)
}

fn nothing_unfinished(blobs: &Blobs) {
    assert_eq!(fs::read_dir(unfinished(blobs)).unwrap().count(), 0);
}

async fn put(blobs: &Blobs, content: &[u8]) -> Digest {
    let digest = digest(content);
    blobs
        .put(&ns("default"), &digest, 1 << 20, body(&[content]))
        .await
        .unwrap();
    digest
}

#[tokio::test]
async fn a_blob_is_written_once_and_read_only() {
    let (blobs, _data) = open();
    let hello = digest(b"hello");
    assert_eq!(blobs.size(&ns("default"), &hello).await.unwrap(), None);
    let uploaded = blobs
        .put(&ns("default"), &hello, 5, body(&[b"he", b"", b"llo"]))
        .await
        .unwrap();
    assert_eq!(uploaded, Uploaded::Created);
    assert_eq!(blobs.size(&ns("default"), &hello).await.unwrap(), Some(5));
    let path = blobs.path(&ns("default"), &hello);
    assert_eq!(fs::read(&path).unwrap(), b"hello");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
    // The second time its body isn't even read.
    let broken = stream::iter([Err::<Bytes, _>(io::Error::other("not read"))]);
    assert_eq!(
        blobs.put(&ns("default"), &hello, 5, broken).await.unwrap(),
        Uploaded::Existed
    );
    assert_eq!(
        blobs.size(&ns("other"), &hello).await.unwrap(),
        None,
        "another namespace has its own"
    );
    nothing_unfinished(&blobs);
}

#[tokio::test]
async fn a_body_that_is_wrong_leaves_nothing() {
    let (blobs, _data) = open();
    let hello = digest(b"hello");
    let other = blobs
        .put(&ns("default"), &hello, 9, body(&[b"other"]))
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        other,
        format!(
            "the body's digest is {}, not {hello}: nothing was kept",
            digest(b"other")
        )
    );
    let large = blobs
        .put(&ns("default"), &hello, 4, body(&[b"he", b"llo"]))
        .await
        .unwrap_err();
    assert_eq!(
        large.to_string(),
        "the body has more than 4 bytes, which is what is allowed"
    );
    let broken = stream::iter([Ok(Bytes::from_static(b"he")), Err(io::Error::other("gone"))]);
    let broken = blobs.put(&ns("default"), &hello, 9, broken).await.unwrap_err();
    assert!(matches!(broken, BlobError::Body(_)));
    assert_eq!(blobs.size(&ns("default"), &hello).await.unwrap(), None);
    nothing_unfinished(&blobs);
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing() {
    let (blobs, _data) = open();
    let endless =
        stream::once(async { Ok::<_, io::Error>(Bytes::from_static(b"he")) }).chain(stream::pending());
    let (namespace, hello) = (ns("default"), digest(b"hello"));
    let upload = blobs.put(&namespace, &hello, 9, endless);
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(20), upload)
            .await
            .is_err()
    );
    nothing_unfinished(&blobs);
}

#[tokio::test]
async fn a_start_removes_what_a_crash_left() {
    let (blobs, data) = open();
    fs::write(unfinished(&blobs).join("half"), b"he").unwrap();
    fs::create_dir_all(data.path().join(TREES).join(UNFINISHED).join("tree/static")).unwrap();
    let kept = put(&blobs, b"kept").await;
    let blobs = Blobs::open(data.path()).unwrap();
    nothing_unfinished(&blobs);
    assert_eq!(
        fs::read_dir(data.path().join(TREES).join(UNFINISHED))
            .unwrap()
            .count(),
        0
    );
    assert_eq!(blobs.size(&ns("default"), &kept).await.unwrap(), Some(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_write_the_same_blob() {
    let (blobs, _data) = open();
    let content = vec![7; 100_000];
    let mut uploads = tokio::task::JoinSet::new();
    for _ in 0..2 * MAX_UPLOADS {
        let (blobs, content) = (blobs.clone(), content.clone());
        uploads.spawn(async move { put(&blobs, &content).await });
    }
    uploads.join_all().await;
    assert_eq!(
        fs::read(blobs.path(&ns("default"), &digest(&content))).unwrap(),
        content
    );
    nothing_unfinished(&blobs);
}

fn folder(mount: &str, files: &[(&str, &Digest)]) -> FolderContent {
    let files = files
        .iter()
        .map(|(path, digest)| ((*path).to_owned(), (*digest).clone()))
        .collect();
    FolderContent {
        mount: mount.parse().unwrap(),
        files,
    }
}

#[tokio::test]
async fn a_bundle_becomes_folders() {
    let (blobs, _data) = open();
    let (page, style) = (put(&blobs, b"<p>").await, put(&blobs, b"p {}").await);
    let folders = vec![
        folder("/static", &[("index.html", &page), ("css/deep/site.css", &style)]),
        folder("/data/pages", &[("copy.html", &page)]),
    ];
    let bundle = digest(b"bundle");
    let made = blobs
        .materialise(&ns("default"), &bundle, folders.clone())
        .await
        .unwrap();
    assert_eq!(made[0].mount.as_str(), "/static");
    assert_eq!(fs::read(made[0].host.join("css/deep/site.css")).unwrap(), b"p {}");
    assert_eq!(fs::read(made[1].host.join("copy.html")).unwrap(), b"<p>");
    assert_eq!(fs::read_dir(&made[1].host).unwrap().count(), 1);
    let mode = fs::metadata(made[1].host.join("copy.html"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o400);
    // The second time it is found.
    assert_eq!(
        blobs.materialise(&ns("default"), &bundle, folders).await.unwrap(),
        made
    );
    assert!(
        blobs
            .materialise(&ns("default"), &digest(b"none"), Vec::new())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_bundle_that_can_not_be_made_leaves_nothing() {
    let (blobs, data) = open();
    let page = put(&blobs, b"<p>").await;
    let absent = digest(b"absent");
    for (files, wanted) in [
        (
            vec![("a", &page), ("b", &absent)],
            format!("there is no blob {absent}: upload it first"),
        ),
        (
            vec![("../a", &page)],
            "`../a` is not a path of a file in a bundle".to_owned(),
        ),
        (
            vec![("/a", &page)],
            "`/a` is not a path of a file in a bundle".to_owned(),
        ),
        (
            vec![("a", &page), ("a", &page)],
            "is not a path of a file in a bundle".to_owned(),
        ),
        (
            vec![("a", &page), ("a/b", &page)],
            "is not a path of a file in a bundle".to_owned(),
        ),
    ] {
        let folders = vec![folder("/static", &files)];
        let refused = blobs
            .materialise(&ns("default"), &digest(b"bundle"), folders)
            .await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.ends_with(&wanted), "{refused}");
        let trees = data.path().join(TREES);
        assert!(!trees.join("default").exists());
        assert_eq!(fs::read_dir(trees.join(UNFINISHED)).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_namespace_goes_with_everything_of_it() {
    let (blobs, data) = open();
    let page = put(&blobs, b"<p>").await;
    blobs
        .materialise(
            &ns("default"),
            &digest(b"b"),
            vec![folder("/static", &[("a", &page)])],
        )
        .await
        .unwrap();
    blobs.put(&ns("other"), &page, 9, body(&[b"<p>"])).await.unwrap();
    blobs.remove_namespace(&ns("default")).await.unwrap();
    blobs.remove_namespace(&ns("default")).await.unwrap();
    assert_eq!(blobs.size(&ns("default"), &page).await.unwrap(), None);
    assert!(!data.path().join(TREES).join("default").exists());
    assert_eq!(blobs.size(&ns("other"), &page).await.unwrap(), Some(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However a body is cut into chunks, what is kept is the body.
    #[test]
    fn chunks_make_no_difference(content in proptest::collection::vec(any::<u8>(), 0..5000), cut in 1usize..700) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (blobs, _data) = open();
            let digest = digest(&content);
            let chunks: Vec<&[u8]> = content.chunks(cut).collect();
            blobs.put(&ns("default"), &digest, 5000, body(&chunks)).await.unwrap();
            assert_eq!(fs::read(blobs.path(&ns("default"), &digest)).unwrap(), content);
        });
    }
}
