fn main() {
    println!("{}", sortie_model::Secret::new("hunter2"));
}
