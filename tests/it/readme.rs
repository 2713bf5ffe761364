//! Checks the README against the code.

use keyseal::KeyTypes;

const README: &str = include_str!("../../README.md");

#[test]
fn the_table_of_templates_is_that_of_the_key_types() {
    let mut rows = 0;
    for line in README.lines().filter(|line| {
        line.starts_with("| `A") || line.starts_with("| `X") || line.starts_with("| `C")
    }) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let template = KeyTypes::default()
            .template(cells[1].trim_matches('`'))
            .unwrap();
        let facts = template.properties();
        assert_eq!(cells[2], facts.key_size.to_string(), "{line}");
        assert_eq!(cells[3], template.overhead().to_string(), "{line}");
        assert_eq!(
            cells[4],
            format!("2<sup>{}</sup>", facts.messages_log2),
            "{line}"
        );
        assert_eq!(cells[5], facts.advice, "{line}");
        rows += 1;
    }
    assert!(rows >= 11, "only {rows} rows");
}
