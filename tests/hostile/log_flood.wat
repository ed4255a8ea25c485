;; Logs 5,000 lines.
  (import "airlock:guest/client@0.1.0" "log" (func $log (param i32 i32 i32)))
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (local $n i32)
    (loop $again
      (call $log (i32.const 1) (i32.const 1088) (i32.const 2))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 5000))))
    (i32.const 2432))
