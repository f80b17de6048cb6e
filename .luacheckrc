std = "max"
max_line_length = 120
cache = false
exclude_files = { "build", "dist", "target", "fuzz", "vendor" }
files["spec"] = { std = "max+busted" }
files["rockspec"] = { std = "max+rockspec" }
