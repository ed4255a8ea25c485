;; Describes an input schema that refers to itself.
  (data (i32.const 8192) "{\"type\":\"object\",\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"allOf\":[{\"$ref\":\"#/$defs/b\"}]},\"b\":{\"anyOf\":[{\"$ref\":\"#/$defs/a\"}]}}}")
  (func (export "airlock:guest/tools@0.1.0#describe")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store (i32.const 2076) (i32.const 8192))
    (i32.store (i32.const 2080) (i32.const 120))
    (i32.const 2304))
