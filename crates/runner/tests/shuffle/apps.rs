//! The apps of the workflows as connectors: API descriptions of Shuffle's catalogue as they are, and for apps that are programs a
//! service of the administrator's own that offers the same functions, described by the app's own list of them.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use serde_json::Value;
use sortie_connector::BuiltIn;
use sortie_openapi::{Description, NoSources, Options, export, import};
use sortie_runner::Product;

/// Connectors by id, each with the file that describes it.
const DESCRIBED: &[(&str, &str)] = &[("virustotal", "e3212535a6e76586.yaml"), ("greynoise", "0ecf7c27003db324.json")];
/// Apps in Python: the connector's id, and the app's list of functions.
const PROGRAMS: &[(&str, &str)] = &[
    ("thehive", "20b03a6c67f35be4.yaml"),
    ("thehive-1-1-1", "67b1f6036027e43c.yaml"),
    ("thehive-1-1-2", "a9a15df7b9cee49d.yaml"),
    ("thehive-1-1-3", "3fadf5f19aa88cd2.yaml"),
    ("cortex", "493278b02e6f8a3b.yaml"),
    ("aws-ec2", "8ff5501e5831cf56.yaml"),
    ("aws-iam", "d8d1c042f64d5470.yaml"),
    ("owa", "728b5663cc3273fd.yaml"),
    ("gpg-tools", "79cbd8172fb96577.yaml"),
    ("passivetotal", "7d65c2ecc4053442.yaml"),
    ("microsoft-teams", "893e8ad8a2badccd.yaml"),
];
/// What an app asks for at every function, and a connection knows.
const OF_THE_CONNECTION: &[&str] = &["apikey", "url", "webhook_url"];
/// Apps that no catalogue has any more, as far as the workflows call them.
const LOST: &[(&str, &str)] = &[
    (
        "urlscanio",
        "openapi: 3.0.0\ninfo: { title: Urlscanio, version: '1' }\nservers: [{ url: https://urlscan.io/api/v1 }]\npaths: { /search: { get: { summary: Search, parameters: [{ name: q, in: query, required: true, schema: { type: string } }], responses: {} } } }\n",
    ),
    (
        "virustotal-v3",
        "openapi: 3.0.0\ninfo: { title: Virustotal V3, version: '1' }\nservers: [{ url: https://www.virustotal.com/api/v3 }]\npaths: { '/ip_addresses/{ip}': { get: { summary: Get IP information, parameters: [{ name: ip, in: path, required: true, schema: { type: string } }], responses: {} } } }\n",
    ),
];

/// All of them and what comes along; `None` where the catalogue is not there.
pub(crate) fn products(corpus: &Path) -> Option<HashMap<String, Arc<Product>>> {
    let read = |file: &str| fs::read(corpus.join("shuffle-apps").join(file)).ok();
    let mut products = HashMap::new();
    let mut add = |id: &str, description: Description| {
        products.insert(
            id.to_owned(),
            Arc::new(Product { id: id.to_owned(), version: description.content_hash(), description }),
        );
    };
    for (id, file) in DESCRIBED {
        add(id, described(&read(file)?));
    }
    for (id, file) in PROGRAMS {
        add(id, offered(&read(file)?));
    }
    for (id, text) in LOST {
        add(id, described(text.as_bytes()));
    }
    for id in ["data", "http", "kv"] {
        add(id, BuiltIn::of(id).unwrap().description());
    }
    Some(products)
}

fn described(document: &[u8]) -> Description {
    import(document, &NoSources, &Options::default()).unwrap().description
}

/// The functions of the app as operations of a service: `POST /function` with the parameters as the body.
fn offered(app: &[u8]) -> Description {
    let mut document = export(&described(app));
    document.as_object_mut().unwrap().remove("x-sortie-native");
    if document["info"]["title"] == "outlook_owa" {
        document["info"]["title"] = "owa".into();
    }
    for item in document["paths"].as_object_mut().unwrap().values_mut() {
        let operation = item["post"].as_object_mut().unwrap();
        operation.remove("x-sortie-not-runnable");
        let Some(schema) =
            operation.get_mut("requestBody").map(|body| &mut body["content"]["application/json"]["schema"])
        else {
            continue;
        };
        let known = schema["properties"].as_object_mut().unwrap();
        known.retain(|name, _| !OF_THE_CONNECTION.contains(&name.as_str()));
        // What a program in Python is given are texts.
        known.values_mut().for_each(|field| field["type"] = "string".into());
        // As it was called when the workflows were made.
        if let Some(acl) = known.remove("NetworkAclId") {
            known.insert("ACL_id".to_owned(), acl);
        }
        schema.as_object_mut().unwrap().remove("required");
    }
    let text = Value::to_string(&document);
    described(text.as_bytes())
}
