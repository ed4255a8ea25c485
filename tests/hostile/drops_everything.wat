;; Starts a run and drops it, and then once more what it no longer has.
  (import "airlock:guest/dify@0.1.0" "start" (func $start (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "airlock:guest/dify@0.1.0" "[resource-drop]run" (func $drop (param i32)))
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (call $start (i32.const 1088) (i32.const 2) (i32.const 1) (i32.const 1104) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1088) (i32.const 2) (i32.const 4096))
    (call $drop (i32.load (i32.const 4100)))
    (call $drop (i32.load (i32.const 4100)))
    (i32.const 2432))
