//! What the importer asks of the installation.

use serde_json::Value;

/// The apps and workflows that an installation knows by Shuffle's names.
pub trait Apps {
    /// The operation that does what the function of the app does.
    fn operation(&self, app: &App<'_>) -> Option<Operation>;

    /// The id here of the workflow that has this id in Shuffle, whether it was imported or is about to be.
    fn workflow(&self, id: &str) -> Option<String>;

    /// Whether another workflow runs the one of this id in Shuffle.
    fn is_called(&self, _id: &str) -> bool {
        false
    }
}

/// A function of an app, as an action names it. Any part may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App<'a> {
    /// The app's name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Its id, which is the MD5 of its document where it was made of one.
    pub id: &'a str,
    /// The function.
    pub function: &'a str,
}

/// An operation that exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The connector's id.
    pub connector: String,
    /// The operation's id.
    pub operation: String,
    /// Its inputs: a JSON Schema of type object.
    pub inputs: Value,
    /// Whether it is the one that the function was made of; else its name says the same in other words.
    pub is_sure: bool,
}

/// An installation without any connector but those that come along.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoApps;

impl Apps for NoApps {
    fn operation(&self, _: &App<'_>) -> Option<Operation> {
        None
    }

    fn workflow(&self, _: &str) -> Option<String> {
        None
    }
}
