use super::*;
use clap::ValueEnum as _;

fn text(files: &[ProjectFile], path: &str) -> String {
    let file = files.iter().find(|file| file.path == Path::new(path));
    let file = file.unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(file.contents.to_vec()).unwrap()
}

#[test]
fn a_template_has_the_projects_name_everywhere() {
    let name: ServiceName = "my-api".parse().unwrap();
    for template in Template::value_variants() {
        let files = files(&name, *template).unwrap();
        let own = files.iter().filter(|file| !file.path.starts_with("vendor"));
        for file in own {
            let text = String::from_utf8(file.contents.to_vec()).unwrap();
            assert!(!text.contains("{{"), "{}: {text}", file.path.display());
        }
        assert!(text(&files, "wharf.toml").contains("name = \"my-api\""));
        assert!(text(&files, "README.md").contains("# my-api"));
        assert!(text(&files, ".gitignore").contains("/.wharf"));
    }
    let http = files(&name, Template::HttpRust).unwrap();
    assert!(text(&http, "wharf.toml").contains("release/my_api.wasm"));
    assert!(text(&http, "Cargo.toml").contains("name = \"my-api\""));
    let job = files(&name, Template::JobRust).unwrap();
    assert!(text(&job, "wharf.toml").contains("release/my-api.wasm"));
    let js = files(&name, Template::HttpJs).unwrap();
    assert!(text(&js, "package.json").contains("\"name\": \"my-api\""));
}

#[test]
fn what_the_compiler_keeps_for_itself_is_no_name() {
    for text in ["match", "test", "wharf", "1st", "Api", "a_b", ""] {
        assert!(name(text).is_err(), "{text}");
    }
    for text in ["api", "my-api", "match-maker", "a1"] {
        assert_eq!(name(text).unwrap().as_str(), text);
    }
}

#[test]
fn nothing_is_written_over() {
    let home = tempfile::tempdir().unwrap();
    let project = home.path().join("api");
    let name: ServiceName = "api".parse().unwrap();
    create(&project, &name, Template::HttpRust).unwrap();
    let before = std::fs::read(project.join("wharf.toml")).unwrap();
    let refused = create(&project, &name, Template::JobRust).unwrap_err();
    assert!(refused.to_string().contains("not empty"), "{refused}");
    assert_eq!(std::fs::read(project.join("wharf.toml")).unwrap(), before);
}
