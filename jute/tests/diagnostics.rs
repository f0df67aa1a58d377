//! What the schema compiler says about bad schemas, and where; and what it accepts.

use jute::compiler::{Schema, Shape, TextFile};

/// Asserts that the module `a` with this text has exactly these faults, one per line, each
/// `line:column: message`.
#[track_caller]
fn faults(text: &str, expected: &str) {
    let expected: Vec<String> = expected.lines().map(|line| format!("a.jute:{line}")).collect();
    assert_eq!(faults_of(&[("a.jute", text)]), expected, "{text}");
}

/// All faults of a set of files.
fn faults_of(files: &[(&str, &str)]) -> Vec<String> {
    compile(files).err().unwrap_or_default()
}

fn compile(files: &[(&str, &str)]) -> Result<Schema, Vec<String>> {
    let sources: Vec<TextFile> = files
        .iter()
        .map(|(name, text)| TextFile { name: (*name).to_owned(), text: (*text).to_owned() })
        .collect();
    Schema::compile(&sources).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

/// Asserts the faults of one documented record `R` whose body, from line 4 on, is `body`.
#[track_caller]
fn body_faults(body: &str, expected: &str) {
    faults(&format!("module a;\n/// R.\nrecord R {{\n{body}\n}}\n"), expected);
}

#[test]
fn syntax_of_the_head() {
    faults("", "1:1: expected `module`, found the end of the file");
    faults("\n  // Only a comment.", "2:21: expected `module`, found the end of the file");
    faults("/// Doc.\nmodule a;", "1:1: expected `module`, found a doc comment");
    faults("modul a;", "1:1: expected `module`, found `modul`");
    faults("modules a;", "1:1: expected `module`, found `modules`");
    faults("module;", "1:7: expected a module name, found `;`");
    faults("module 1a;", "1:8: expected a module name, found `1a`");
    faults("module a", "1:9: expected `;`, found the end of the file");
    faults("module a.b;", "1:9: expected `;`, found `.`");
    faults("module a;\nimport", "2:7: expected a module name, found the end of the file");
    faults("module a;\nimport b c;", "2:10: expected `;`, found `c`");
    faults("module a;;", "1:10: expected `import`, `record` or the end of the file, found `;`");
    faults(
        "module a;\nclass C {}",
        "2:1: expected `import`, `record` or the end of the file, found `class`",
    );
    faults("\u{feff}module a;", "1:1: expected `module`, found `\\u{feff}`");
}

#[test]
fn syntax_of_records() {
    faults("module a;\nrecord {", "2:8: expected a record name, found `{`");
    faults("module a;\nrecord R;", "2:9: expected `{`, found `;`");
    faults("module a;\nrecord R { }", "2:12: expected a field, found `}`");
    faults("module a;\n/// Doc.\nimport b;", "3:1: expected `record`, found `import`");
    faults("module a;\n/// Doc.\n", "3:1: expected `record`, found the end of the file");
    faults(
        "module a;\n/// R.\nrecord R { /// x\nint x; }\nimport b;",
        "5:1: expected `record` or the end of the file, found `import`",
    );
    faults(
        "module a;\n/// R.\nrecord R { /// x\nint x; };",
        "4:9: expected `record` or the end of the file, found `;`",
    );
}

#[test]
fn syntax_of_fields() {
    body_faults("int;", "4:4: expected a field name, found `;`");
    body_faults("int x", "5:1: expected `;`, found `}`");
    body_faults("int x, y;", "4:6: expected `;`, found `,`");
    body_faults("int /// Doc.\nx;", "4:5: expected a field name, found a doc comment");
    body_faults("/// Doc.", "5:1: expected a field, found `}`");
    body_faults("/// x\nint x;\n/// Doc.", "7:1: expected a field, found `}`");
    body_faults("/// x\nint x;\n+", "6:1: expected a field or `}`, found `+`");
    body_faults("int?? x;", "4:5: expected a field name, found `?`");
    body_faults("vector x;", "4:8: expected `<`, found `x`");
    body_faults("vector<> x;", "4:8: expected a type, found `>`");
    body_faults("vector<int x;", "4:12: expected `>`, found `x`");
    body_faults("map<ustring, int> x;", "4:4: expected a field name, found `<`");
    body_faults(
        "vector<vector<vector<int>>> x;",
        "4:15: expected a type other than `vector`, which nests at most 2 deep, found `vector`",
    );
    faults(
        "module a;\nrecord R { int x;",
        "2:18: expected a field or `}`, found the end of the file",
    );
}

#[test]
fn columns_count_characters() {
    faults(
        "module a; /* */",
        "1:11: expected `import`, `record` or the end of the file, found `/`",
    );
    faults("module \u{e9}\u{1f600}", "1:8: expected a module name, found `\u{e9}`");
    body_faults("// \u{1f600}\n/// \u{e9}\n\tint x y;", "6:8: expected `;`, found `y`");
    faults("module a;\r\n\r\nimport b;\r\n", "3:8: unknown module `b`");
}

#[test]
fn imports_must_make_sense() {
    faults("module a;\nimport a;", "2:8: module `a` imports itself");
    faults("module a;\nimport b;", "2:8: unknown module `b`");
    let b = "module b;\n/// B.\nrecord B { /// x\nint x; }";
    let with_b = |imports: &str, ty: &str| {
        let a = format!("module a;\n{imports}\n/// R.\nrecord R {{ /// x\n{ty} x; }}");
        faults_of(&[("a.jute", &a), ("b.jute", b)])
    };
    assert_eq!(with_b("import b;", "B"), [""; 0]);
    assert_eq!(with_b("import b;", "int"), ["a.jute:2:8: unused import `b`"]);
    let twice = with_b("import b; import b;", "vector<B>");
    assert_eq!(twice, ["a.jute:2:18: duplicate import `b`"]);
    let missing = with_b("", "B");
    assert_eq!(missing, ["a.jute:5:1: unknown type `B`: module `b` is not imported"]);
}

#[test]
fn modules_stand_in_their_own_files() {
    faults("module b;", "1:8: module `b` must stand in `b.jute`");
    let other_extension = faults_of(&[("a.txt", "module a;")]);
    assert_eq!(other_extension, ["a.txt:1:8: module `a` must stand in `a.jute`"]);
}

#[test]
fn types_must_exist_once() {
    body_faults("/// x\nfloat x;", "5:1: unknown type `float`");
    body_faults("/// x\nvector<Acl>? x;", "5:8: unknown type `Acl`");
    let record = |module: &str| format!("module {module};\n/// X.\nrecord X {{ /// x\nint x; }}");
    let user = "module a;\nimport b;\nimport c;\n/// R.\nrecord R { /// x\nX x; }";
    let files = [("a.jute", user), ("b.jute", &record("b")), ("c.jute", &record("c"))];
    let expected = ["a.jute:6:1: ambiguous type `X`: both `b` and `c` have it"];
    assert_eq!(faults_of(&files), expected);
}

#[test]
fn null_needs_a_length() {
    let message = |ty| format!("`{ty}` cannot be null, only `ustring`, `buffer` and `vector` can");
    for ty in ["boolean", "byte", "int", "long"] {
        body_faults(&format!("/// x\n{ty}? x;"), &format!("5:1: {}", message(ty)));
        body_faults(&format!("/// x\nvector<{ty}?>? x;"), &format!("5:8: {}", message(ty)));
    }
    let text = "module a;\n/// R.\nrecord R { /// x\nint x; }\n/// S.\nrecord S { /// r\nR? r; }";
    faults(text, &format!("7:1: {}", message("R")));
}

#[test]
fn records_must_not_contain_themselves() {
    body_faults("/// x\nR x;", "3:8: record `R` contains itself");
    body_faults("/// x\nvector<vector<R>?>? x;", "3:8: record `R` contains itself");
    let record =
        |name: &str, ty: &str| format!("/// {name}.\nrecord {name} {{ /// x\n{ty} x; }}\n");
    let a = ["module a;\n", &record("A", "B"), &record("B", "vector<C>"), &record("C", "B")];
    faults(&a.concat(), "6:8: record `B` contains itself through `C`");
    let a = ["module a;\nimport b;\n", &record("A", "B"), &record("C", "int")].concat();
    let b = ["module b;\nimport c;\nimport a;\n", &record("B", "D"), &record("E", "C")].concat();
    let c = ["module c;\nimport a;\n", &record("D", "A")].concat();
    let expected = ["a.jute:4:8: record `A` contains itself through `B` and `D`"];
    assert_eq!(faults_of(&[("a.jute", &a), ("b.jute", &b), ("c.jute", &c)]), expected);
}

#[test]
fn names_are_unique() {
    body_faults("/// x\nint x;\n/// y\nlong y;\n/// x\nlong x;", "9:6: duplicate field `x`");
    faults(
        "module a;\n/// R.\nrecord R { /// x\nint x; }\n/// R.\nrecord R { /// y\nint y; }",
        "6:8: duplicate record `R`",
    );
}

#[test]
fn names_fit_rust() {
    let module =
        |name: &str| faults_of(&[(&format!("{name}.jute"), &format!("module {name};"))]).join(" ");
    for name in ["A", "aB", "a_b", "a1"] {
        let message = format!("module name `{name}` must be lower-case letters only");
        assert_eq!(module(name), format!("{name}.jute:1:8: {message}"));
    }
    assert_eq!(module("mod"), "mod.jute:1:8: `mod` is reserved");
    assert_eq!(module("crate"), "crate.jute:1:8: `crate` is reserved");
    for name in ["record", "R_S", "_R", "int"] {
        faults(
            &format!("module a;\n/// R.\nrecord {name} {{ /// x\nint x; }}"),
            &format!("3:8: record name `{name}` must be in upper camel case"),
        );
    }
    for name in ["Bytes", "Decode", "Option", "Self", "Vec"] {
        faults(
            &format!("module a;\n/// R.\nrecord {name} {{ /// x\nint x; }}"),
            &format!("3:8: `{name}` is reserved"),
        );
    }
    for name in ["X", "xY", "_x", "x_", "X_Y"] {
        let message = format!("5:5: field name `{name}` must be in snake case");
        body_faults(&format!("/// x\nint {name};"), &message);
    }
    for name in ["type", "self", "gen", "record", "vector", "int", "mod"] {
        body_faults(&format!("/// x\nint {name};"), &format!("5:5: `{name}` is reserved"));
    }
    let long = "x".repeat(41);
    body_faults(
        &format!("/// x\nint {long};"),
        &format!("5:5: `{long}` is longer than 40 characters"),
    );
}

#[test]
fn everything_is_documented() {
    faults(
        "module a;\nrecord R {\n    int x;\n}",
        "2:8: record `R` has no doc comment\n3:9: field `x` has no doc comment",
    );
    body_faults("//// Four slashes.\nint x;", "5:5: field `x` has no doc comment");
}

#[test]
fn all_files_are_reported_in_order() {
    let bad = "module b;\n/// R.\nrecord R { /// x\nit x; /// X\nint X; }";
    let in_meaning = [
        "a.jute:1:8: module `b` must stand in `b.jute`",
        "b.jute:4:1: unknown type `it`",
        "b.jute:5:5: field name `X` must be in snake case",
    ];
    assert_eq!(faults_of(&[("b.jute", bad), ("a.jute", "module b;")]), in_meaning);
    let in_syntax = [
        "a.jute:1:1: expected `module`, found `import`",
        "c.jute:1:7: expected a module name, found the end of the file",
    ];
    assert_eq!(
        faults_of(&[("b.jute", bad), ("c.jute", "module"), ("a.jute", "import")]),
        in_syntax
    );
}

#[test]
fn layout_is_free() {
    let dense = "module a;/// R.\nrecord R{/// One\n//plain\n///  two.\r\n\
                 vector<vector<ustring?>?>x;///\nS s;}///S.\nrecord S{/// n\nint n;}";
    let airy = "// Head.\nmodule // a\n a\n;\n\n/// R.\nrecord R\n{\n    /// One\n    \
                ///  two.\n    vector < vector < ustring ? > ? > x ;\n    ///\n    S s;\n}\n\
                //// No doc.\n/// S.\nrecord S { /// n\n int n; } // End.";
    let [dense, airy] = [dense, airy].map(|text| compile(&[("a.jute", text)]).expect("right"));
    assert_eq!(dense.to_rust(), airy.to_rust());
    let record = &dense.modules()[0].records[0];
    assert_eq!(record.fields[0].docs, ["One", " two."]);
    let Shape::Vector(inner) = &record.fields[0].ty.shape else { panic!("{record:?}") };
    assert!(inner.nullable && !record.fields[0].ty.nullable);
}
