use udf_runtime::FromPoint;

#[derive(FromPoint)]
struct Text {
    #[field]
    text: str,
}

#[derive(FromPoint)]
struct Numbers {
    #[tag]
    text: String,
    #[tag]
    numbers: [u8],
}

fn main() {}
