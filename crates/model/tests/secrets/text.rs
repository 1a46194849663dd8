fn main() {
    let _ = sortie_model::Secret::new("hunter2").to_string();
}
