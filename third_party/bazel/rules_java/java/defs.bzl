"""Bazel's native rules under the names that its embedded tools load."""

java_library = native.java_library
java_import = native.java_import
java_binary = native.java_binary
java_test = native.java_test
java_proto_library = native.java_proto_library
java_toolchain = native.java_toolchain
java_runtime = native.java_runtime
