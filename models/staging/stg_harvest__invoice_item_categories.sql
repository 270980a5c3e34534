select
  id as category_id,
  name as category_name,
  coalesce(use_as_expense, false) and not coalesce(use_as_service, false) as is_expense
from {{ harvest.harvest_table('invoice_item_categories') }}
where deleted_at is null
