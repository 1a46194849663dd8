//! Where a document comes from: a file, a folder, a zip archive or an address; and the files that it may refer to.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Seek},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use sortie_openapi::{Import, Limits, NoSources, Sources};
use sortie_transport::{Guard, Request, RetryPolicy};
use url::Url;

use crate::{context::Context, exit::Problem};

#[derive(Args)]
pub(crate) struct DocumentArguments {
    /// The document: a file, a folder, a zip archive, or an https address. What it refers to is read from its folder or
    /// archive and nowhere else
    #[arg(value_name = "FILE|FOLDER|ZIP|URL")]
    from: String,
    /// Which document of a folder or archive, where it holds several
    #[arg(long, value_name = "PATH")]
    document: Option<String>,
    /// A host that is not public and may be asked for the document
    #[arg(long, value_name = "HOST[:PORT]")]
    allow_host: Vec<String>,
}

impl DocumentArguments {
    /// What people know the document by: the name of its file, without what an address may hold beside.
    pub(super) fn origin(&self) -> String {
        let name = match self.address() {
            Some(url) => format!("{}{}", url.host_str().unwrap_or_default(), url.path()),
            None => Path::new(&self.from).file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        match &self.document {
            Some(path) => format!("{name}/{path}"),
            None => name,
        }
    }

    /// The same in an error: an address is shown without user and query, which may be secret.
    pub(super) fn shown(&self) -> String {
        self.address().map_or_else(|| self.from.clone(), |_| self.origin())
    }

    /// Reads and imports the document.
    pub(super) async fn import(&self, context: &Context) -> anyhow::Result<Import> {
        if let Some(url) = self.address() {
            let document = fetch(&url, &self.allow_host, context).await;
            let document = document.with_context(|| format!("cannot import {}", self.shown()))?;
            return self.read(&document, "openapi".to_owned(), &NoSources);
        }
        let from = Path::new(&self.from);
        let failed = || format!("cannot import {}", self.shown());
        let about = fs::metadata(from).with_context(failed)?;
        if about.is_dir() {
            let root = from.canonicalize().with_context(failed)?;
            let files = Folder { root };
            let name = self.choose(files.names().with_context(failed)?, &files)?;
            let document = files.read(&name).ok_or_else(|| self.unreadable(&name))?;
            return self.read(&document, name, &files);
        }
        let mut file = File::open(from).with_context(failed)?;
        if is_archive(&mut file).with_context(failed)? {
            let files = unpack(file).map_err(|what| self.refused(&what))?;
            let name = self.choose(files.keys().cloned().collect(), &files)?;
            return self.read(&files[&name], name.clone(), &files);
        }
        check_size(about.len()).map_err(|what| self.refused(&what))?;
        let mut document = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut document).with_context(failed)?;
        let folder = from.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let root = folder.canonicalize().with_context(failed)?;
        let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.read(&document, name, &Folder { root })
    }

    fn address(&self) -> Option<Url> {
        let is_address = self.from.starts_with("https://") || self.from.starts_with("http://");
        if is_address { self.from.parse().ok() } else { None }
    }

    fn read(&self, document: &[u8], path: String, files: &dyn Sources) -> anyhow::Result<Import> {
        let options = sortie_openapi::Options { path, limits: Limits::default() };
        sortie_openapi::import(document, files, &options).map_err(|error| {
            let next = "Give an OpenAPI 2.0, 3.0 or 3.1 document as JSON or YAML.";
            Problem::usage(format!("cannot import {}: {error}", self.shown()), next).into()
        })
    }

    /// The document among the files: the one that was named, else the only one that says that it is OpenAPI.
    fn choose(&self, names: Vec<String>, files: &dyn Sources) -> anyhow::Result<String> {
        if let Some(name) = &self.document {
            let found = names.into_iter().find(|found| found == name);
            return found.ok_or_else(|| self.unreadable(name));
        }
        let mut found: Vec<String> = names.into_iter().filter(|name| is_openapi(files, name)).collect();
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(self.refused("it holds no OpenAPI document (.yaml, .yml or .json)")),
            _ => {
                let what = format!("{} holds {} OpenAPI documents", self.shown(), found.len());
                found.truncate(NAMED);
                Err(Problem::usage(what, format!("Choose one with `--document`: {}.", found.join(", "))).into())
            }
        }
    }

    fn unreadable(&self, name: &str) -> anyhow::Error {
        self.refused(&format!("it has no document `{name}` that can be read"))
    }

    fn refused(&self, what: &str) -> anyhow::Error {
        let next = "Give the OpenAPI document itself, or a folder or archive that holds it.";
        Problem::usage(format!("cannot import {}: {what}", self.shown()), next).into()
    }
}

/// The files of a folder. No symbolic link leads out of it.
struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The documents below, by name; folders that links lead to are not entered.
    fn names(&self) -> std::io::Result<Vec<String>> {
        let mut names = Vec::new();
        let mut folders = vec![(self.root.clone(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() && depth < DEPTH_MAX && !entry.file_name().to_string_lossy().starts_with('.') {
                    folders.push((entry.path(), depth + 1));
                } else if let Ok(path) = entry.path().strip_prefix(&self.root)
                    && names.len() < FILES_MAX
                {
                    names.extend(document_name(&path.to_string_lossy()));
                }
            }
        }
        names.sort();
        Ok(names)
    }
}

impl Sources for Folder {
    fn read(&self, path: &str) -> Option<Cow<'_, [u8]>> {
        let file = self.root.join(path).canonicalize().ok()?;
        let is_inside = file.starts_with(&self.root)
            && fs::metadata(&file).is_ok_and(|data| data.is_file() && data.len() <= BYTES_MAX);
        if is_inside { fs::read(file).ok().map(Cow::Owned) } else { None }
    }
}

fn is_archive(file: &mut File) -> std::io::Result<bool> {
    let mut first = Vec::new();
    file.take(4).read_to_end(&mut first)?;
    file.rewind()?;
    Ok(matches!(first[..], [b'P', b'K', 3 | 5, 4 | 6]))
}

/// The documents of an archive. Sizes are those that come out, whatever the archive says of them.
fn unpack(file: File) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let broken = |error: zip::result::ZipError| format!("the archive cannot be read: {error}");
    let mut archive = zip::ZipArchive::new(file).map_err(broken)?;
    if archive.len() > FILES_MAX {
        return Err(format!("the archive holds {} files, and {FILES_MAX} are read at most", archive.len()));
    }
    let mut files = BTreeMap::new();
    let mut left = BYTES_MAX;
    for at in 0..archive.len() {
        let entry = archive.by_index(at).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        if name.starts_with('/') || name.contains(['\\', ':', '\0']) || name.split('/').any(|part| part == "..") {
            return Err(format!("the archive's entry `{}` leads out of it", name.escape_debug()));
        }
        let Some(name) = document_name(&name).filter(|_| entry.is_file()) else { continue };
        let mut bytes = Vec::new();
        entry
            .take(left + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| format!("`{name}` cannot be unpacked: {error}"))?;
        left = left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            format!("the archive's documents unpack to more than the {BYTES_MAX} bytes that are read")
        })?;
        if files.insert(name.clone(), bytes).is_some() {
            return Err(format!("the archive holds `{name}` twice"));
        }
    }
    Ok(files)
}

/// The name of a file that may be a document, with `/` between folders.
fn document_name(path: &str) -> Option<String> {
    let ending = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
    matches!(ending.as_str(), "yaml" | "yml" | "json").then(|| path.replace(std::path::MAIN_SEPARATOR, "/"))
}

/// Whether the file says that it is an API description: by a key at the edge of a line, in JSON anywhere.
fn is_openapi(files: &dyn Sources, name: &str) -> bool {
    let Some(bytes) = files.read(name) else { return false };
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}');
    let is_json = text.trim_start().starts_with('{');
    ["openapi", "swagger"].iter().flat_map(|word| text.match_indices(word)).any(|(at, word)| {
        let before = text[..at].trim_end_matches(['"', '\'']);
        let after = text[at + word.len()..].trim_start_matches(['"', '\'', ' ']);
        after.starts_with(':') && (is_json || before.is_empty() || before.ends_with('\n'))
    })
}

/// Asks a public address for the document, without any credential.
async fn fetch(url: &Url, allowed: &[String], context: &Context) -> anyhow::Result<Vec<u8>> {
    let guard =
        Guard::allowing(allowed).map_err(|error| Problem::usage(error.to_string(), "Correct `--allow-host`."))?;
    let transport = context.transport(&context.settings()?)?.guarded(guard);
    let request = Request::get(url.clone()).body_bytes_max(BYTES_MAX);
    let response = transport.call(request, &RetryPolicy::default(), &*context.clock).await?;
    if !response.is_success() {
        let what = format!("the address answers with status {}", response.status.as_u16());
        return Err(Problem::usage(what, "Check the address, or download the document and give the file.").into());
    }
    if response.is_html() {
        let next = "Give the address of the JSON or YAML document behind the page.";
        return Err(Problem::usage("the address answers with a web page", next).into());
    }
    Ok(response.body.to_vec())
}

fn check_size(size: u64) -> Result<(), String> {
    if size <= BYTES_MAX {
        return Ok(());
    }
    Err(format!("it has {size} bytes, and {BYTES_MAX} are read at most"))
}

/// What the importer reads at most, of one document with all that it refers to.
const BYTES_MAX: u64 = 64 << 20;
const FILES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 16;
/// How many documents an error names.
const NAMED: usize = 10;
