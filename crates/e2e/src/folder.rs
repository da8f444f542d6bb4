//! A pipeline of a test's own, in the configuration of the running stack.

use std::{
    fs,
    path::{Path, PathBuf},
};
use test_support::unique;

/// A pipeline's folder. Dropping it takes the pipeline away.
pub struct Folder {
    path: PathBuf,
    pub name: String,
}

impl Folder {
    /// Adds a pipeline of these files. In their texts `{p}` stands for its name, which no other test has.
    pub fn add(files: &[(&str, &str)]) -> Self {
        Self::add_in(&pipelines(), files)
    }

    /// The same among the pipelines of another stack.
    pub fn add_in(pipelines: &Path, files: &[(&str, &str)]) -> Self {
        let name = unique("p");
        let folder = Self { path: pipelines.join(&name), name };
        fs::create_dir_all(folder.path.join("dags")).expect("the folder can be made");
        files.iter().for_each(|(file, text)| folder.write(file, text));
        folder
    }

    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.path.join(file), text.replace("{p}", &self.name)).expect("the file can be written");
    }
}

impl Folder {
    pub fn remove(&self, file: &str) {
        fs::remove_file(self.path.join(file)).expect("the file can be removed");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The copy of the configuration that the stack under test reads.
fn pipelines() -> PathBuf {
    let file = std::env::var("MILLRACE_TEST_STACK").expect("run the tests with `make test`");
    let text = fs::read_to_string(file).expect("the stack's file can be read");
    let stack: serde_json::Value = serde_json::from_str(&text).expect("the stack's file is JSON");
    PathBuf::from(stack["config_dir"].as_str().expect("the stack says where its configuration is"))
        .join("pipelines")
}
