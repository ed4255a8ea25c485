;; Uses an import when it is asked what it offers.
  (import "airlock:guest/client@0.1.0" "log" (func $log (param i32 i32 i32)))
  (func (export "airlock:guest/tools@0.1.0#describe")
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (call $log (i32.const 1) (i32.const 1088) (i32.const 2))
    (i32.const 2304))
