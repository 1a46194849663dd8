fn main() {
    let _ = serde_json::to_string(&sortie_model::Secret::new("hunter2"));
}
