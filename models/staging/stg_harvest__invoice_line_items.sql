select
  items.id as line_item_id,
  invoices.invoice_id,
  invoices.state,
  invoices.currency,
  items.project__id as project_id,
  items.kind,
  coalesce(items.amount, 0) as amount,
  {{ harvest.decimal('coalesce(items.amount, 0) * (100 - invoices.discount_percent) / 100') }}
    as amount_after_discount
from {{ harvest.harvest_table('invoices__line_items') }} as items
inner join {{ ref('stg_harvest__invoices') }} as invoices
  on invoices._dlt_id = items._dlt_parent_id
