//! The commands that the quickstart prints work when you type them.

use super::support::Place;

#[test]
fn the_printed_commands_work_when_they_are_typed() {
    let place = Place::new();
    place.write("it's a file", "of some length");
    for arguments in [&["quickstart", "it's a file"][..], &["quickstart"]] {
        let story = String::from_utf8(place.done(arguments).stdout).unwrap();
        let lines: Vec<&str> = story
            .lines()
            .filter_map(|line| line.strip_prefix("$ "))
            .collect();
        assert!(lines.len() >= 10, "{story}");
        std::fs::create_dir_all(place.path("tmp")).unwrap();
        // Its children end with the script, wherever that ends.
        let script = format!(
            "set -e\ntrap 'kill $KEYSEAL_EMULATOR_PID 2> /dev/null || true' EXIT\n{}\nls",
            lines.join("\n")
        );
        let output = place
            .shell(&script)
            .env("TMPDIR", place.path("tmp"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{said}");
        let left = String::from_utf8_lossy(&output.stdout);
        for name in ["sealed", "opened"] {
            assert!(left.lines().any(|line| line == name), "{left}");
        }
    }
}

#[test]
fn a_program_that_is_not_on_the_path_says_where_it_is() {
    let place = Place::new();
    let output = place
        .keyseal(&["quickstart"])
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let story = String::from_utf8(output.stdout).unwrap();
    let line = format!("$ alias keyseal={}\n", env!("CARGO_BIN_EXE_keyseal"));
    assert!(story.contains(&line), "{story}");
    assert!(output.status.success());
}
