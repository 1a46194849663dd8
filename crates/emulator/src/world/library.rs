//! The live response library: scripts and files that commands may name.

use super::{dice::Dice, incident::World, ticks::Ticks};

/// A file of the library.
#[derive(Clone, Debug)]
pub(crate) struct LibraryFile {
    pub name: String,
    pub sha256: String,
    pub description: Option<String>,
    pub created: Ticks,
    pub updated: Ticks,
    pub created_by: String,
    pub has_parameters: bool,
    pub parameters: Option<String>,
}

impl World {
    /// The files that a new tenant's people have already put there.
    pub(super) fn stock_library(&mut self) {
        let by = format!("soc.first@{}", self.company.domain);
        for (number, (name, description, parameters)) in STOCK.iter().enumerate() {
            let mut dice = Dice::new(&[self.seed, 54, number as u64]);
            let created = self.start.plus_s(-dice.between(40, 300) * 86_400);
            self.library.push(LibraryFile {
                name: (*name).to_owned(),
                sha256: dice.hex(64),
                description: Some((*description).to_owned()),
                created,
                updated: created,
                created_by: by.clone(),
                has_parameters: parameters.is_some(),
                parameters: parameters.map(str::to_owned),
            });
        }
    }

    pub(crate) fn library(&self) -> &[LibraryFile] {
        &self.library
    }

    /// Puts a file into the library; `None`: one of this name is there, and is not to be replaced.
    pub(crate) fn store_file(&mut self, mut file: LibraryFile, replaces: bool) -> Option<&LibraryFile> {
        let known = self.library.iter().position(|known| known.name.eq_ignore_ascii_case(&file.name));
        match known {
            Some(_) if !replaces => None,
            Some(position) => {
                file.created = self.library[position].created;
                self.library[position] = file;
                self.library.get(position)
            }
            None => {
                self.library.push(file);
                self.library.last()
            }
        }
    }

    /// Says whether there was such a file.
    pub(crate) fn drop_file(&mut self, name: &str) -> bool {
        let before = self.library.len();
        self.library.retain(|file| !file.name.eq_ignore_ascii_case(name));
        self.library.len() < before
    }
}

const STOCK: &[(&str, &str, Option<&str>)] = &[
    ("list-processes.ps1", "Lists processes with their hashes", None),
    ("minidump.ps1", "Dumps the memory of one process", Some("Name of the process")),
    ("clear-dns.cmd", "Empties the DNS cache", None),
];
