;; Takes memory until it gets none, and touches each page.
  (func (export "airlock:guest/tools@0.1.0#call") (param i32) (result i32)
    (local $at i32)
    (loop $again
      (local.set $at (memory.grow (i32.const 16)))
      (if (i32.eq (local.get $at) (i32.const -1)) (then (unreachable)))
      (i32.store (i32.mul (local.get $at) (i32.const 65536)) (i32.const 1))
      (br $again))
    (unreachable))
