//! The prelude as it goes into the library: what `src/prelude/compact.rs` leaves out, and what it must not.

#[path = "../src/prelude/compact.rs"]
mod compact;

fn compacted(text: &str) -> String {
    String::from_utf8(compact::compact(text.as_bytes())).expect("UTF-8 in, UTF-8 out")
}

#[test]
fn comments_and_indentation_go_and_lines_stay() {
    let text = "-- first\nlocal a = 1 -- why\n\n  --[[ two\n  lines ]] local b = {\n    a, -- [[ short ]]\n  }\n";
    assert_eq!(compacted(text), "\nlocal a=1\n\n\nlocal b={\na,\n}\n");
}

#[test]
fn a_space_stays_where_two_words_would_become_one() {
    assert_eq!(compacted("return not a and 1 or b.c\n"), "return not a and 1 or b.c\n");
    assert_eq!(compacted("goto x ; a ( ) --[[]]b"), "goto x;a()b");
    assert_eq!(compacted("local--[[c]]a"), "local a");
}

#[test]
fn a_space_stays_where_two_operators_would_become_another_one() {
    assert_eq!(compacted("a - - b"), "a- -b");
    assert_eq!(compacted("t[ [[k]] ] = 1 .. 2"), "t[ [[k]]]=1 .. 2");
    assert_eq!(compacted("x = = y < = z ~ = w / / v : : u"), "x= =y< =z~ =w/ /v: :u");
    assert_eq!(compacted("f(...) .. a .. .5"), "f(...).. a .. .5");
}

#[test]
fn strings_are_kept_as_they_are() {
    for string in [
        r#""  -- no comment  ""#,
        r#"'it\'s  "so"  '"#,
        "\"a \\\n  b\\\\\"",
        "[[ a  -- b\n  ]  ]]",
        "[==[ ]]  ]=]  ]==]",
    ] {
        assert_eq!(compacted(&format!("f ( {string} )  -- x")), format!("f({string})"));
    }
}

#[test]
fn a_bracket_that_opens_no_string_is_one_token() {
    assert_eq!(compacted("t[ i ] = u[= 1]"), "t[i]=u[=1]");
    assert_eq!(compacted("--[ no long comment\na"), "\na");
    assert_eq!(compacted("--[=[ long ]] \n ]=] a"), "\na");
}

#[test]
fn what_never_ends_is_kept_for_lua_to_refuse() {
    assert_eq!(compacted("a = \"b  "), "a=\"b  ");
    assert_eq!(compacted("f( [[b  "), "f([[b  ");
}
