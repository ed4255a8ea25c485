;; Describes a pattern that takes for ever in an engine that tracks back.
  (data (i32.const 8192) "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\",\"pattern\":\"^(a+)+$\"}}}")
  (func (export "airlock:guest/tools@0.1.0#describe")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store (i32.const 2076) (i32.const 8192))
    (i32.store (i32.const 2080) (i32.const 77))
    (i32.const 2304))
