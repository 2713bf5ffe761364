//! The report of `explain`.

use serde_json::json;

use crate::{context::Context, display::Lines, error::Failure, exit::Exit};

/// Facts about a file, and problems that explain why it does not decrypt.
pub(super) struct Report {
    facts: Vec<String>,
    problems: Vec<(&'static str, String)>,
    /// The conclusion if the file decrypts.
    decrypts: &'static str,
    /// The conclusion if it does not, without any problem.
    unexplained: &'static str,
    /// The conclusion if that was not tried, and there is no problem.
    untried: &'static str,
}

impl Report {
    pub(super) const fn new(
        decrypts: &'static str,
        unexplained: &'static str,
        untried: &'static str,
    ) -> Self {
        Self {
            facts: Vec::new(),
            problems: Vec::new(),
            decrypts,
            unexplained,
            untried,
        }
    }

    pub(super) fn fact(&mut self, text: impl Into<String>) {
        self.facts.push(text.into());
    }

    pub(super) fn problem(&mut self, code: &'static str, text: impl Into<String>) {
        self.problems.push((code, text.into()));
    }

    pub(super) const fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    const fn conclusion(&self, decrypts: Option<bool>) -> &'static str {
        match (decrypts, self.problems.as_slice()) {
            (Some(true), _) => self.decrypts,
            (_, [_, ..]) => "that is why it does not decrypt",
            (Some(false), []) => self.unexplained,
            (None, []) => self.untried,
        }
    }

    pub(super) fn print(
        &self,
        name: &str,
        decrypts: Option<bool>,
        context: &Context,
    ) -> Result<Exit, Failure> {
        let conclusion = self.conclusion(decrypts);
        if context.json {
            let problems: Vec<_> = self
                .problems
                .iter()
                .map(|(code, text)| json!({ "code": code, "text": text }))
                .collect();
            context.print_json(&json!({
                "conclusion": conclusion,
                "decrypts": decrypts,
                "facts": self.facts,
                "file": name,
                "problems": problems,
            }))?;
            return Ok(Exit::Done);
        }
        let mut text = format!("{name}:\n");
        for fact in &self.facts {
            text.push_str(&format!("  {fact}\n"));
        }
        for (_, problem) in &self.problems {
            text.push_str(&format!("  problem: {problem}\n"));
        }
        text.push_str(&format!("  so: {conclusion}\n"));
        context.print(Lines::of_text(&text))?;
        Ok(Exit::Done)
    }
}
